"""The wire's own words, all of them settings: where the contract knows none it makes a choice that CB may correct (contract cb 2, 8)."""

from __future__ import annotations

from collections.abc import Mapping

LUISTERHUIS_NAMES: Mapping[str, str] = {
    "modified_from": "modifiedfrom",
    "limit": "limit",
    "offset": "offset",
    "inventory_ean": "EAN13",
    "inventory_availability": "ProductAvailability",
    "inventory_modified": "LastModified",
    "check_ean": "ean",
    "available": "Available",
    "availability": "ProductAvailability",
    "ean": "EAN13",
    "customer_id": "CustomerID",
    "reference": "reference",
    "order_id": "OrderID",
    "link": "DownloadURL",
    "email": "Email",
    "month": "month",
    "settled_order_id": "OrderID",
    "settled_ean": "EAN13",
    "settled_at": "OrderedAt",
    "settled_amount": "NetAmount",
    "settled_reference": "Reference",
}
"""Parameters, fields and columns of Luisterhuis; `modifiedfrom` and `CustomerID` are known, the rest is chosen."""

EBOOK_NAMES: Mapping[str, str] = {
    "ean": "EAN",
    "reference": "OrderReference",
    "channel": "DeliveryChannel",
    "orderable": "Orderable",
    "order_id": "CbOrderReference",
    "link": "URL",
}
"""Fields of the DigitalProductOrderService, as CB documents them."""
