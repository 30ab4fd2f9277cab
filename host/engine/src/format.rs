//! What the bytes of a file look like, told before anything tries to compile them.

use fermata_core::limits::MAX_COMPONENT;

/// First bytes of a component: magic, version 13, layer 1.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const WASM: &[u8] = b"\0asm";

/// `Err`: what it is instead, and what to do.
pub fn expect_component(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > MAX_COMPONENT {
        return Err(format!(
            "the file has {} MiB, at most {} are taken: build it for release, and without debug information",
            bytes.len().div_ceil(1 << 20),
            MAX_COMPONENT >> 20
        ));
    }
    if bytes.starts_with(&COMPONENT) {
        return Ok(());
    }
    Err(describe(bytes))
}

fn describe(bytes: &[u8]) -> String {
    const NATIVE: &str = "native code is never loaded; build the stage for wasm32-unknown-unknown";
    if bytes.is_empty() {
        return "the file is empty; was the build interrupted?".into();
    }
    if bytes.starts_with(WASM) {
        return match bytes.get(4..8) {
            Some([1, 0, 0, 0]) => {
                "this is a core WebAssembly module; make a component of it (`cargo xtask guests`, or wit-component)"
                    .into()
            }
            Some(version) => format!(
                "this is WebAssembly of an unknown version ({}); build it with current tools",
                hex::encode(version)
            ),
            None => "this WebAssembly file ends after its first bytes; was the build interrupted?".into(),
        };
    }
    let native = match bytes {
        [0x7f, b'E', b'L', b'F', ..] => Some("an ELF program or library"),
        [b'M', b'Z', ..] => Some("a Windows program or library"),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => Some("a macOS program or library"),
        _ => None,
    };
    if let Some(native) = native {
        return format!("this is {native}; {NATIVE}");
    }
    // The first 4 KiB are enough to know text by; a character cut at their end does not count.
    let head = &bytes[..bytes.len().min(4096)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text.map(str::trim_start) {
        Some(text) if text.starts_with("(component") || text.starts_with("(module") => {
            "this is WebAssembly as text; turn it into bytes first (`wasm-tools parse`)".into()
        }
        Some(_) => "this is a text file; name the built `.wasm` file instead".into(),
        None => format!(
            "the file begins with {}, which is no known format; name the built `.wasm` file",
            hex::encode(&bytes[..bytes.len().min(8)])
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_file_is_instead() {
        let cases: &[(&[u8], &str)] = &[
            (b"", "the file is empty"),
            (b"\0asm\x01\0\0\0", "core WebAssembly module"),
            (b"\0asm\x07\0\0\0", "unknown version (07000000)"),
            (b"\0asm", "ends after its first bytes"),
            (b"\x7fELF\x02\x01", "an ELF program"),
            (b"MZ\x90\0", "a Windows program"),
            (b"\xcf\xfa\xed\xfe\x07", "a macOS program"),
            (b"(component)", "WebAssembly as text"),
            (b"#!/bin/sh\n", "a text file"),
            (b"\xff\xd8\xff\xe0 jpeg", "begins with ffd8ffe0206a7065"),
        ];
        for (bytes, expected) in cases {
            let found = expect_component(bytes).expect_err(expected);
            assert!(found.contains(expected), "{found:?} lacks {expected:?}");
        }
        expect_component(&COMPONENT).expect("the head of a component");
        let mut large = COMPONENT.to_vec();
        large.resize(MAX_COMPONENT + 1, 0);
        let found = expect_component(&large).expect_err("too large");
        assert!(found.contains("the file has 65 MiB"), "{found}");
    }

    #[test]
    fn a_text_whose_4096th_byte_is_inside_a_character_is_still_text() {
        let text = format!("{}é", "a".repeat(4095));
        assert!(describe(text.as_bytes()).contains("a text file"));
    }
}
