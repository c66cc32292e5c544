import java.io.BufferedInputStream;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * Java's StAX, and out of every record of ONIX 3 (reference names) the facts that the lxml peer takes, told in the same JSON.
 *
 * <p>One cursor over the whole feed: what holds no fact is passed over, and no tree is built.
 */
public final class StaxExtract {
    private static final int RECORDS_A_SAMPLE = 16;
    private static final Territory NOWHERE = new Territory(List.of(), List.of(), List.of(), List.of());

    record Territory(
            List<String> countriesIncluded,
            List<String> regionsIncluded,
            List<String> countriesExcluded,
            List<String> regionsExcluded) {}

    record Identifier(String type, String value, String typeName) {}

    record Dated(String role, String text, String format) {}

    record Ranked(int rank, String text) {}

    record Market(List<String> restrictions, Territory territory) {}

    record Tax(String type, String rateCode, BigDecimal ratePercent, BigDecimal taxableAmount, BigDecimal taxAmount) {}

    record Rights(String type, Territory territory, List<String> restrictions) {}

    static final class Price {
        String type, qualifier, status, currency, unpriced;
        BigDecimal amount;
        Territory territory;
        boolean hasConditions;
        final List<Tax> taxes = new ArrayList<>(0);
        final List<Dated> dates = new ArrayList<>(0);
        final List<String> identifiers = new ArrayList<>(0);
        final List<String> protections = new ArrayList<>(0);
    }

    static final class Detail {
        String supplierRole, supplierName, availability, unpriced;
        final List<String> supplierIdentifiers = new ArrayList<>(0);
        final List<Dated> dates = new ArrayList<>(0);
        final List<Price> prices = new ArrayList<>();
    }

    static final class Supply {
        String reference, status;
        final List<Market> markets = new ArrayList<>(0);
        final List<Dated> dates = new ArrayList<>(0);
        final List<Detail> details = new ArrayList<>(1);
    }

    static final class Product {
        String reference, composition, form, status, restOfWorldRights;
        String notificationType = "03";
        final List<Identifier> identifiers = new ArrayList<>();
        final List<String> formDetails = new ArrayList<>(1);
        final List<String[]> formFeatures = new ArrayList<>(0);
        final List<String> protections = new ArrayList<>(1);
        final List<Ranked> titles = new ArrayList<>(1);
        final List<Ranked> publishers = new ArrayList<>(2);
        final List<Dated> dates = new ArrayList<>(1);
        final List<Rights> rights = new ArrayList<>(1);
        final List<String> restrictions = new ArrayList<>(0);
        final List<Supply> supplies = new ArrayList<>(1);
    }

    private final XMLStreamReader reader;
    private final MessageDigest digest = sha256();
    private final Json json = new Json();
    private String defaultPriceType, defaultCurrency;
    private long records;

    private StaxExtract(XMLStreamReader reader) {
        this.reader = reader;
    }

    public static void main(String[] arguments) throws Exception {
        long started = System.nanoTime();
        XMLInputFactory factory = XMLInputFactory.newFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        try (InputStream feed = new BufferedInputStream(Files.newInputStream(Path.of(arguments[0])), 1 << 18)) {
            StaxExtract run = new StaxExtract(factory.createXMLStreamReader(feed));
            run.message();
            double seconds = (System.nanoTime() - started) / 1e9;
            System.out.printf(
                    java.util.Locale.ROOT,
                    "{\"records\": %d, \"seconds\": %.6f, \"digest\": \"%s\"}%n",
                    run.records,
                    seconds,
                    HexFormat.of().formatHex(run.digest.digest()));
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private void message() throws XMLStreamException {
        reader.nextTag();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "Header" -> header();
                case "Product" -> tell(product());
                default -> skip();
            }
        }
    }

    /** All facts of some records and the reference of the others go into the digest: it shows faults and costs little. */
    private void tell(Product product) {
        if (records++ % RECORDS_A_SAMPLE == 0) {
            json.product(product);
            digest.update(json.line());
        } else {
            digest.update(product.reference.getBytes(StandardCharsets.UTF_8));
        }
    }

    // --- the cursor: every reader below begins at its element's start tag and ends at its end tag

    /** To the next child of the element the cursor is in; says no at the element's end. */
    private boolean nextChild() throws XMLStreamException {
        while (true) {
            switch (reader.next()) {
                case XMLStreamConstants.START_ELEMENT:
                    return true;
                case XMLStreamConstants.END_ELEMENT:
                case XMLStreamConstants.END_DOCUMENT:
                    return false;
                default:
            }
        }
    }

    private void skip() throws XMLStreamException {
        for (int depth = 1; depth > 0; ) {
            switch (reader.next()) {
                case XMLStreamConstants.START_ELEMENT -> depth++;
                case XMLStreamConstants.END_ELEMENT -> depth--;
                default -> {}
            }
        }
    }

    private String text() throws XMLStreamException {
        String text = reader.getElementText().strip();
        return text.isEmpty() ? null : text;
    }

    /** A text for people, on one line. */
    private String words() throws XMLStreamException {
        String text = text();
        return text == null ? null : String.join(" ", text.split("\\s+"));
    }

    private List<String> codes() throws XMLStreamException {
        String text = text();
        if (text == null) {
            return List.of();
        }
        return text.indexOf(' ') < 0 ? List.of(text) : List.copyOf(new TreeSet<>(List.of(text.split("\\s+"))));
    }

    private BigDecimal amount() throws XMLStreamException {
        return new BigDecimal(text());
    }

    private static <T> void add(List<T> list, T value) {
        if (value != null) {
            list.add(value);
        }
    }

    // --- what several composites have

    private Territory territory() throws XMLStreamException {
        List<String> in = List.of(), regionsIn = List.of(), out = List.of(), regionsOut = List.of();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "CountriesIncluded" -> in = codes();
                case "RegionsIncluded" -> regionsIn = codes();
                case "CountriesExcluded" -> out = codes();
                case "RegionsExcluded" -> regionsOut = codes();
                default -> skip();
            }
        }
        return new Territory(in, regionsIn, out, regionsOut);
    }

    private Dated dated(String roleName) throws XMLStreamException {
        String role = null, text = null, format = null;
        while (nextChild()) {
            String name = reader.getLocalName();
            if (name.equals("Date")) {
                String stated = reader.getAttributeValue(null, "dateformat");
                format = stated == null ? format : stated;
                text = text();
            } else if (name.equals("DateFormat")) {
                format = text();
            } else if (name.equals(roleName)) {
                role = text();
            } else {
                skip();
            }
        }
        return role == null && text == null ? null : new Dated(orEmpty(role), orEmpty(text), format);
    }

    private String schemed(String schemeName) throws XMLStreamException {
        String scheme = null, value = null;
        while (nextChild()) {
            String name = reader.getLocalName();
            if (name.equals("IDValue")) {
                value = text();
            } else if (name.equals(schemeName)) {
                scheme = text();
            } else {
                skip();
            }
        }
        return value == null ? null : orEmpty(scheme) + ":" + value;
    }

    /** The text of the only child that is asked for. */
    private String only(String wanted) throws XMLStreamException {
        String found = null;
        while (nextChild()) {
            if (reader.getLocalName().equals(wanted)) {
                found = text();
            } else {
                skip();
            }
        }
        return found;
    }

    private String restriction() throws XMLStreamException {
        String type = only("SalesRestrictionType");
        return type == null ? "00" : type;
    }

    private static String orEmpty(String text) {
        return text == null ? "" : text;
    }

    // --- the record

    private void header() throws XMLStreamException {
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "DefaultPriceType" -> defaultPriceType = text();
                case "DefaultCurrencyCode" -> defaultCurrency = text();
                default -> skip();
            }
        }
    }

    private Product product() throws XMLStreamException {
        Product product = new Product();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "RecordReference" -> product.reference = text();
                case "NotificationType" -> product.notificationType = text();
                case "ProductIdentifier" -> add(product.identifiers, identifier());
                case "DescriptiveDetail" -> descriptive(product);
                case "PublishingDetail" -> publishing(product);
                case "ProductSupply" -> product.supplies.add(supply());
                default -> skip();
            }
        }
        return product;
    }

    private Identifier identifier() throws XMLStreamException {
        String type = null, value = null, typeName = null;
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "ProductIDType" -> type = text();
                case "IDValue" -> value = text();
                case "IDTypeName" -> typeName = words();
                default -> skip();
            }
        }
        return type == null || value == null ? null : new Identifier(type, value, typeName);
    }

    private void descriptive(Product product) throws XMLStreamException {
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "ProductComposition" -> product.composition = text();
                case "ProductForm" -> product.form = text();
                case "ProductFormDetail" -> add(product.formDetails, text());
                case "ProductFormFeature" -> product.formFeatures.add(feature());
                case "EpubTechnicalProtection" -> add(product.protections, text());
                case "TitleDetail" -> add(product.titles, title());
                default -> skip();
            }
        }
    }

    private String[] feature() throws XMLStreamException {
        String type = null, value = null, says = null;
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "ProductFormFeatureType" -> type = text();
                case "ProductFormFeatureValue" -> value = text();
                case "ProductFormFeatureDescription" -> says = words();
                default -> skip();
            }
        }
        return new String[] {orEmpty(type), value == null ? orEmpty(says) : value};
    }

    /** The title of the product's own level; where it has none of its own, after that of the collection. */
    private Ranked title() throws XMLStreamException {
        String type = null, statement = null;
        List<String> own = new ArrayList<>(1), all = new ArrayList<>(1);
        boolean hasOwn = false;
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "TitleType" -> type = text();
                case "TitleStatement" -> statement = words();
                case "TitleElement" -> {
                    TitleElement element = titleElement();
                    String title = element.title();
                    add(all, title);
                    add(all, element.part);
                    if (element.level == null || element.level.equals("01")) {
                        hasOwn |= title != null;
                        add(own, title);
                        add(own, element.part);
                    }
                }
                default -> skip();
            }
        }
        List<String> shown = hasOwn ? own : all;
        String title = shown.isEmpty() ? statement : String.join(", ", shown);
        return title == null ? null : new Ranked("01".equals(type) ? 0 : 1, title);
    }

    static final class TitleElement {
        String level, text, prefix, rest, subtitle, part;

        String title() {
            String title = text;
            if (title == null && (prefix != null || rest != null)) {
                boolean isElided = prefix != null && "'\u2019-".indexOf(prefix.charAt(prefix.length() - 1)) >= 0;
                String glue = prefix == null || rest == null || isElided ? "" : " ";
                title = orEmpty(prefix) + glue + orEmpty(rest);
            }
            return title == null || subtitle == null ? (title == null ? subtitle : title) : title + ": " + subtitle;
        }
    }

    private TitleElement titleElement() throws XMLStreamException {
        TitleElement element = new TitleElement();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "TitleElementLevel" -> element.level = text();
                case "TitleText" -> element.text = words();
                case "TitlePrefix" -> element.prefix = words();
                case "TitleWithoutPrefix" -> element.rest = words();
                case "Subtitle" -> element.subtitle = words();
                case "PartNumber" -> element.part = words();
                default -> skip();
            }
        }
        return element;
    }

    private void publishing(Product product) throws XMLStreamException {
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "Imprint" -> add(product.publishers, named("ImprintName", 2));
                case "Publisher" -> add(product.publishers, named("PublisherName", 1));
                case "PublishingStatus" -> product.status = text();
                case "PublishingDate" -> add(product.dates, dated("PublishingDateRole"));
                case "SalesRights" -> product.rights.add(rights());
                case "ROWSalesRightsType" -> product.restOfWorldRights = text();
                case "SalesRestriction" -> product.restrictions.add(restriction());
                default -> skip();
            }
        }
    }

    private Ranked named(String wanted, int rank) throws XMLStreamException {
        String role = null, name = null;
        while (nextChild()) {
            String child = reader.getLocalName();
            if (child.equals(wanted)) {
                name = words();
            } else if (child.equals("PublishingRole")) {
                role = text();
            } else {
                skip();
            }
        }
        return name == null ? null : new Ranked("01".equals(role) ? 0 : rank, name);
    }

    private Rights rights() throws XMLStreamException {
        String type = "";
        Territory territory = NOWHERE;
        List<String> restrictions = new ArrayList<>(0);
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "SalesRightsType" -> type = text();
                case "Territory" -> territory = territory();
                case "SalesRestriction" -> restrictions.add(restriction());
                default -> skip();
            }
        }
        return new Rights(type, territory, restrictions);
    }

    // --- supplies and prices

    private Supply supply() throws XMLStreamException {
        Supply supply = new Supply();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "MarketReference" -> supply.reference = text();
                case "Market" -> supply.markets.add(market());
                case "MarketPublishingDetail" -> marketStatus(supply);
                case "SupplyDetail" -> supply.details.add(detail());
                default -> skip();
            }
        }
        return supply;
    }

    private Market market() throws XMLStreamException {
        List<String> restrictions = new ArrayList<>(0);
        Territory territory = null;
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "Territory" -> territory = territory();
                case "SalesRestriction" -> restrictions.add(restriction());
                default -> skip();
            }
        }
        return new Market(restrictions, territory);
    }

    private void marketStatus(Supply supply) throws XMLStreamException {
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "MarketPublishingStatus" -> supply.status = text();
                case "MarketDate" -> add(supply.dates, dated("MarketDateRole"));
                default -> skip();
            }
        }
    }

    private Detail detail() throws XMLStreamException {
        Detail detail = new Detail();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "Supplier" -> supplier(detail);
                case "ProductAvailability" -> detail.availability = text();
                case "SupplyDate" -> add(detail.dates, dated("SupplyDateRole"));
                case "UnpricedItemType" -> detail.unpriced = text();
                case "Price" -> detail.prices.add(price());
                default -> skip();
            }
        }
        return detail;
    }

    private void supplier(Detail detail) throws XMLStreamException {
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "SupplierRole" -> detail.supplierRole = text();
                case "SupplierName" -> detail.supplierName = words();
                case "SupplierIdentifier" -> add(detail.supplierIdentifiers, schemed("SupplierIDType"));
                default -> skip();
            }
        }
    }

    private Price price() throws XMLStreamException {
        Price price = new Price();
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "PriceType" -> price.type = text();
                case "PriceQualifier" -> price.qualifier = text();
                case "PriceStatus" -> price.status = text();
                case "PriceAmount" -> price.amount = amount();
                case "CurrencyCode" -> price.currency = text();
                case "Territory" -> price.territory = territory();
                case "Tax" -> price.taxes.add(tax());
                case "TaxExempt" -> {
                    price.taxes.add(new Tax(null, "TaxExempt", null, null, null));
                    skip();
                }
                case "PriceDate" -> add(price.dates, dated("PriceDateRole"));
                case "UnpricedItemType" -> price.unpriced = text();
                case "PriceIdentifier" -> add(price.identifiers, schemed("PriceIDType"));
                case "EpubTechnicalProtection" -> add(price.protections, text());
                case "PriceCondition" -> price.hasConditions |= !"00".equals(only("PriceConditionType"));
                case "PriceConstraint" -> price.hasConditions |= !"00".equals(only("PriceConstraintType"));
                case "MinimumOrderQuantity" -> price.hasConditions |= !isOneOf(text(), "0", "1");
                case "PricePer" -> price.hasConditions |= !isOneOf(text(), "00");
                case "BatchBonus", "EpubLicense" -> {
                    price.hasConditions = true;
                    skip();
                }
                default -> skip();
            }
        }
        return completed(price);
    }

    /** With what the header says for prices that do not; a rental's price hangs on terms, whatever it says. */
    private Price completed(Price price) {
        price.type = price.type == null ? defaultPriceType : price.type;
        price.currency = price.currency == null && price.amount != null ? defaultCurrency : price.currency;
        price.hasConditions |= "06".equals(price.type);
        return price;
    }

    private static boolean isOneOf(String text, String... plain) {
        return text == null || List.of(plain).contains(text);
    }

    private Tax tax() throws XMLStreamException {
        String type = null, rateCode = null;
        BigDecimal percent = null, taxable = null, amount = null;
        while (nextChild()) {
            switch (reader.getLocalName()) {
                case "TaxType" -> type = text();
                case "TaxRateCode" -> rateCode = text();
                case "TaxRatePercent" -> percent = amount();
                case "TaxableAmount" -> taxable = amount();
                case "TaxAmount" -> amount = amount();
                default -> skip();
            }
        }
        return new Tax(type, rateCode, percent, taxable, amount);
    }

    /** Writes a product as one line of JSON, its fields in the order of the engine's own facts. */
    static final class Json {
        private final StringBuilder out = new StringBuilder(8192);

        byte[] line() {
            byte[] line = out.append('\n').toString().getBytes(StandardCharsets.UTF_8);
            out.setLength(0);
            return line;
        }

        void product(Product product) {
            out.append('{');
            field("reference", product.reference).field("notification_type", product.notificationType);
            list("identifiers", product.identifiers, this::identifier);
            field("composition", product.composition).field("form", product.form);
            list("form_details", product.formDetails, this::string);
            list("form_features", product.formFeatures, pair -> list(List.of(pair), this::string));
            list("protections", product.protections, this::string);
            field("title", best(product.titles)).field("publisher", best(product.publishers));
            field("publishing_status", product.status);
            list("publishing_dates", product.dates, this::dated);
            list("sales_rights", product.rights, this::rights);
            field("rest_of_world_rights", product.restOfWorldRights);
            list("sales_restrictions", product.restrictions, this::string);
            name("supplies");
            supplies(product.supplies);
            close();
        }

        private static String best(List<Ranked> candidates) {
            Ranked best = null;
            for (Ranked candidate : candidates) {
                best = best == null || candidate.rank < best.rank ? candidate : best;
            }
            return best == null ? null : best.text;
        }

        private void identifier(Identifier identifier) {
            out.append('{');
            field("type", identifier.type).field("value", identifier.value).field("type_name", identifier.typeName);
            close();
        }

        private void dated(Dated dated) {
            out.append('{');
            field("role", dated.role);
            name("date");
            out.append('{');
            field("text", dated.text).field("format", dated.format);
            close();
            out.append(',');
            close();
        }

        private void rights(Rights rights) {
            out.append('{');
            field("type", rights.type);
            name("territory");
            territory(rights.territory);
            out.append(',');
            list("restrictions", rights.restrictions, this::string);
            close();
        }

        private void territory(Territory territory) {
            if (territory == null) {
                out.append("null");
                return;
            }
            out.append('{');
            list("countries_included", territory.countriesIncluded, this::string);
            list("regions_included", territory.regionsIncluded, this::string);
            list("countries_excluded", territory.countriesExcluded, this::string);
            list("regions_excluded", territory.regionsExcluded, this::string);
            close();
        }

        /** A supply once for each channel that its markets are split into. */
        private void supplies(List<Supply> supplies) {
            out.append('[');
            for (Supply supply : supplies) {
                Map<List<String>, List<Territory>> channels = new LinkedHashMap<>();
                for (Market market : supply.markets) {
                    add(channels.computeIfAbsent(market.restrictions, key -> new ArrayList<>()), market.territory);
                }
                if (channels.isEmpty()) {
                    channels.put(List.of(), List.of());
                }
                channels.forEach((restrictions, areas) -> supply(supply, restrictions, areas));
            }
            end(']');
            out.append(',');
        }

        private void supply(Supply supply, List<String> restrictions, List<Territory> areas) {
            out.append('{');
            field("market_reference", supply.reference);
            list("markets", areas, this::territory);
            list("market_restrictions", restrictions, this::string);
            field("market_status", supply.status);
            list("market_dates", supply.dates, this::dated);
            list("details", supply.details, this::detail);
            close();
            out.append(',');
        }

        private void detail(Detail detail) {
            out.append('{');
            field("supplier_role", detail.supplierRole).field("supplier_name", detail.supplierName);
            list("supplier_identifiers", detail.supplierIdentifiers, this::string);
            field("availability", detail.availability);
            list("dates", detail.dates, this::dated);
            field("unpriced", detail.unpriced);
            list("prices", detail.prices, this::price);
            close();
        }

        private void price(Price price) {
            out.append('{');
            field("type", price.type).field("qualifier", price.qualifier).field("status", price.status);
            number("amount", price.amount);
            field("currency", price.currency);
            name("territory");
            territory(price.territory);
            out.append(',');
            list("taxes", price.taxes, this::tax);
            list("dates", price.dates, this::dated);
            field("unpriced", price.unpriced);
            list("identifiers", price.identifiers, this::string);
            list("protections", price.protections, this::string);
            name("conditions");
            out.append(price.hasConditions).append(',');
            close();
        }

        private void tax(Tax tax) {
            out.append('{');
            field("type", tax.type).field("rate_code", tax.rateCode);
            number("rate_percent", tax.ratePercent);
            number("taxable_amount", tax.taxableAmount);
            number("tax_amount", tax.taxAmount);
            close();
        }

        private void number(String name, BigDecimal number) {
            field(name, number == null ? null : number.toPlainString());
        }

        private Json field(String name, String value) {
            name(name);
            string(value);
            out.append(',');
            return this;
        }

        private void name(String name) {
            out.append('"').append(name).append("\":");
        }

        private <T> void list(String name, List<T> values, java.util.function.Consumer<T> write) {
            name(name);
            list(values, write);
            out.append(',');
        }

        private <T> void list(List<T> values, java.util.function.Consumer<T> write) {
            out.append('[');
            for (T value : values) {
                write.accept(value);
                out.append(',');
            }
            end(']');
        }

        private void close() {
            end('}');
        }

        /** Every part is followed by a comma; the last one's gives way to the bracket. */
        private void end(char bracket) {
            int last = out.length() - 1;
            if (out.charAt(last) == ',') {
                out.setCharAt(last, bracket);
            } else {
                out.append(bracket);
            }
        }

        private void string(String text) {
            if (text == null) {
                out.append("null");
                return;
            }
            out.append('"');
            for (int at = 0; at < text.length(); at++) {
                char character = text.charAt(at);
                if (character == '"' || character == '\\') {
                    out.append('\\');
                }
                out.append(character);
            }
            out.append('"');
        }
    }
}
