//! From text to a checked manifest.
