//! Raw manifest, as TOML has it.
