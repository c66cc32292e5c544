"""CB (Centraal Boekhuis): Luisterhuis for audiobooks and the DigitalProductOrderService for e-books (contract cb).

One source is a shop's whole relation with CB; `[sources.NAME.luisterhuis]` and `[sources.NAME.ebooks]` are its services. What the
contract could not read, or decided for itself, is a setting with that choice as its default:

| contract | open | setting |
|---|---|---|
| 1.2 hosts, which environment credentials belong to | CHOICE | `luisterhuis.base_url`, `ebooks.base_url`, `environment`, `test_hosts` |
| 1.2, 1.3 token service of the e-book platform | UNKNOWN | `ebooks.token_url`, `ebooks.scope` |
| 1.3 how Luisterhuis knows who asks | UNKNOWN | `luisterhuis.username`, `.key_header` or `.key_parameter` |
| 1.3 OIDC, or user name and password in headers | CONFLICT | `ebooks.authentication`, `.username_header`, `.password_header` |
| 2.1 feed: path, parameters | UNKNOWN | `luisterhuis.feed_path`, names `modified_from`, `limit`, `offset` |
| 2.1 the form of `modifiedfrom`, what `offset` counts | UNKNOWN | `luisterhuis.modified_from_format`, `.offset_unit` |
| 2.1 defaults and maximum of limit | UNKNOWN | `luisterhuis.page_size` (always sent, at most 1000) |
| 2.1 the end of the list | UNKNOWN | `luisterhuis.stop_on_short_page` (false: an empty page only) |
| 2.2 inventory: path, columns, whether there is one | UNKNOWN | `luisterhuis.inventory`, `.inventory_path`, `.inventory_separator`, names `inventory_…` |
| 2.2 when it is compared, what is too much missing | CHOICE | `luisterhuis.inventory_hour`, `.inventory_absent_percent` |
| 2.3 availability check | UNKNOWN | `luisterhuis.availability_path`, names `check_ean`, `available`, `availability` |
| 2.4 order: method, fields, answer | UNKNOWN | `luisterhuis.order_path`, `.order_method`, names `ean`, `customer_id`, `reference`, `order_id`, `link` |
| 2.4 how long our ids may be | CHOICE | `luisterhuis.longest_reference`, `.longest_customer_id` |
| 2.5, 2.6 mail and reset of links | UNKNOWN | `luisterhuis.mail_path`, `.reset_path`, name `email` |
| 2.8 settlement | UNKNOWN | `luisterhuis.settlement_path`, names `month`, `settled_…` |
| 2.9 error codes of Luisterhuis | UNKNOWN | `luisterhuis.codes`: a code to a meaning, beside those of 8.3 |
| 3.1 the zone of `modifiedfrom` | CONFLICT | `timezone`, `luisterhuis.overlap` |
| 3.8 rates, calls at once, patience for an answer | UNKNOWN | `limits` (`luisterhuis`, `checkorderable`, `placeorder`, `getcontenturl`), `concurrency`, `luisterhuis.page_seconds`, `ebooks.call_seconds` |
| 5 pre-step A: who is CB among suppliers | CHOICE | `luisterhuis.suppliers` (names and numbers) |
| 5.1 prices: rates of tax for what states none | CHOICE | `tax_rates` |
| 6 how old a positive check may be | CHOICE | `check_holds` |
| 8.1 paths of the e-book service | UNKNOWN | `ebooks.base_url`, or `ebooks.urls` with a whole address for each operation |
| 8.1 whether `DeliveryChannel` must be sent | CONFLICT | `ebooks.delivery_channel` (empty: not sent) |
| 8.1 names of its fields | INF | `ebooks.names` |
| 8.3 codes that are not listed | UNKNOWN | `ebooks.codes`: a code to a meaning |
| 8.4 orders held until the day of publication | INF | `ebooks.hold_until_publication` |
| 8.5 at which service a title is bought | UNKNOWN | `route`: an EAN to `luisterhuis` or `ebooks` |
| 9 which availabilities are for sale, and not yet | CHOICE | `ebooks.for_sale_codes`, `.not_yet_codes` |
| 9 the name of an agreement file | known | `ebooks.agreement_name` (a pattern with the groups `stamp` and `relation`) |
| 9, 10 a day without a file is told | CHOICE, CONFLICT | `ebooks.files_by` (hour), `.holidays` |

Names are the keys of `names.LUISTERHUIS_NAMES` and `names.EBOOK_NAMES`; meanings are those of `codes.Meaning`.

Three things the contract leaves open are decided here and cannot be set. Links are asked for anew whenever a customer wants one,
and never kept. A date in another format than a day makes a Luisterhuis record's title unsellable, since a source cannot put single
records into quarantine. SalesRights that shut a country out are heeded, of which the tables say nothing. The selection of articles
must hold no audiobook that Luisterhuis has too: both streams know a record by its EAN, and the one read last would count.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapters.distributors.cb.settings import OPERATIONS, Ebooks, Luisterhuis, Settings
from adapters.http.account import is_header_text
from syncengine.domain.ids import SourceName
from syncengine.errors import SettingsInvalid
from syncengine.ports import Account, Distributor, Secret, SourceSettings, World

if TYPE_CHECKING:
    import asyncio

    from adapters.distributors.cb.audiobooks import AudiobookCalls
    from adapters.distributors.cb.ebooks import EbookCalls
    from adapters.distributors.cb.feed import LuisterhuisFeed
    from adapters.http.account import Credentials
    from adapters.http.session import HttpSession

__all__ = ["Ebooks", "Luisterhuis", "Settings", "connect"]


def connect(name: SourceName, settings: SourceSettings, world: World) -> Distributor:
    """Build the parts of both services; no network yet. Raises SettingsInvalid for a secret that cannot be read."""
    import asyncio

    from adapters.distributors.cb.calls import CbCalls
    from adapters.distributors.cb.choices import FOR_SALE_CODES, NOT_YET_CODES, SUPPLIERS
    from adapters.distributors.cb.files import OutBox
    from adapters.distributors.cb.rules import CbRules
    from adapters.distributors.cb.source import CbSource

    if not isinstance(settings, Settings):
        raise TypeError(f"{name}: settings of another kind")
    audio, books = settings.luisterhuis, settings.ebooks
    room = asyncio.Semaphore(audio.concurrency if audio else 1)
    return Distributor(
        # The feed has a session of its own: closing one, or filling its connections, never disturbs the other.
        source=CbSource(
            name,
            settings.routing,
            feed=_feed(name, settings, world, room),
            files=OutBox(name, books, world.directory, settings.zone, world.clock, relation_id=settings.relation_id)
            if books
            else None,
            full_every=settings.full_every,
        ),
        rules=CbRules(
            markets=settings.markets,
            zone=settings.zone,
            routing=settings.routing,
            suppliers=audio.suppliers if audio else SUPPLIERS,
            for_sale_codes=books.for_sale_codes if books else FOR_SALE_CODES,
            not_yet_codes=books.not_yet_codes if books else NOT_YET_CODES,
            holds_until_publication=books.hold_until_publication if books else True,
            check_holds=settings.check_holds,
            tax_rates=settings.tax_rates,
        ),
        calls=CbCalls(
            name,
            settings.routing,
            audiobooks=_audiobooks(name, settings, world, room),
            ebooks=_ebooks(name, settings, world),
        ),
        account=Account(kind="cb", address=_address(settings), organisation=settings.relation_id),
    )


def _audiobooks(name: SourceName, settings: Settings, world: World, room: asyncio.Semaphore) -> AudiobookCalls | None:
    """Calls to Luisterhuis over a session of their own; none where the settings have no such table."""
    from adapters.distributors.cb.audiobooks import AudiobookCalls

    table = settings.luisterhuis
    return AudiobookCalls(name, table, _session(name, settings, table, world), world, room) if table else None


def _feed(name: SourceName, settings: Settings, world: World, room: asyncio.Semaphore) -> LuisterhuisFeed | None:
    """The streams of Luisterhuis over sessions of their own; none where the settings have no such table."""
    from adapters.distributors.cb.feed import LuisterhuisFeed
    from adapters.distributors.cb.pages import Pages

    table, calls = settings.luisterhuis, _audiobooks(name, settings, world, room)
    if table is None or calls is None:
        return None
    pages = Pages(name, _session(name, settings, table, world), world, room)
    return LuisterhuisFeed(name, table, settings.zone, pages, calls, world.clock)


def _session(name: SourceName, settings: Settings, table: Luisterhuis, world: World) -> HttpSession:
    from adapters.http.session import HttpSession, Patience

    return HttpSession(
        table.base_url,
        clock=world.clock,
        credentials=_luisterhuis_credentials(name, table, world.directory),
        allow_loopback_http=settings.allow_loopback_http,
        connections=table.concurrency,
        patience=Patience(answer_seconds=table.page_seconds, call_seconds=table.page_seconds),
    )


def _ebooks(name: SourceName, settings: Settings, world: World) -> EbookCalls | None:
    """Calls to the e-book service, a session for each origin; none where the settings have no such table."""
    from adapters.distributors.cb.ebooks import EbookCalls, Place, origin_and_path
    from adapters.http.session import HttpSession, Patience

    table = settings.ebooks
    if table is None:
        return None
    credentials = _ebook_credentials(name, settings, table, world)
    sessions: dict[str, HttpSession] = {}
    places: dict[str, Place] = {}
    for operation in OPERATIONS:
        origin, path = origin_and_path(table.url(operation))
        if origin not in sessions:
            sessions[origin] = HttpSession(
                origin,
                clock=world.clock,
                credentials=credentials,
                allow_loopback_http=settings.allow_loopback_http,
                connections=table.concurrency,
                patience=Patience(call_seconds=table.call_seconds),
            )
        places[operation] = Place(session=sessions[origin], target=path)
    return EbookCalls(name, table, places, world)


def _luisterhuis_credentials(name: SourceName, table: Luisterhuis, directory: Path) -> Credentials:
    from adapters.http.account import Basic, KeyHeaders, KeyParameters

    where = f"sources.{name}.luisterhuis"
    secret = _secret(where, table.secret_env, table.secret_file, directory)
    if table.username:
        return Basic(table.username, secret)
    if table.key_header:
        return KeyHeaders({table.key_header: _in_header(where, secret)})
    return KeyParameters({table.key_parameter or "": secret})


def _ebook_credentials(name: SourceName, settings: Settings, table: Ebooks, world: World) -> Credentials:
    from adapters.http.account import KeyHeaders
    from adapters.http.oauth import Client, ClientCredentials

    where = f"sources.{name}.ebooks"
    secret = _secret(where, table.secret_env, table.secret_file, world.directory)
    if table.authentication == "headers":
        user = Secret(table.username or "")
        return KeyHeaders(
            {table.username_header: _in_header(where, user), table.password_header: _in_header(where, secret)}
        )
    return ClientCredentials(
        table.token_url or "",
        Client(id=table.client_id or "", secret=secret, scope=table.scope),
        clock=world.clock,
        allow_loopback_http=settings.allow_loopback_http,
    )


def _secret(where: str, env: str | None, file: str | None, directory: Path) -> Secret:
    return Secret.read(where, env=env, file=str(directory / file) if file else None)


def _in_header(where: str, secret: Secret) -> Secret:
    if not is_header_text(secret.reveal()):
        raise SettingsInvalid(where, ["the secret or the user name has blanks or characters that no header has"])
    return secret


def _address(settings: Settings) -> str:
    """What tells this account's services from others: the hosts of both."""
    own = [settings.luisterhuis.base_url] if settings.luisterhuis else []
    if settings.ebooks:
        own.append(settings.ebooks.url("placeOrder"))
    return " ".join(own)
