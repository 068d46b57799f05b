"""The database: tables, data sets, migrations, and the loader that fills them."""
