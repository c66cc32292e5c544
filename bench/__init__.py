"""How fast the engine is on this machine, told in ratios that mean something on any other.

Feeds are made once (`generate`, `feeds`), scenarios run in processes of their own beside the programs that they are compared with
(`engine`, `peers`, `delivering`), and rounds take turns (`rounds`). What comes out is one document: `report` shows it, `targets`
judges it, `charts` and `page` draw it, `compare` holds two of them side by side.
"""
