//! HMAC-SHA-256 (RFC 2104): the mark by which an installation knows its own artefacts. Written out here because
//! the `hmac` crate switches on features of `digest` that wasmtime shares, and it is ten lines.

use sha2::{Digest as _, Sha256};

pub type Key = [u8; 32];
pub type Mac = [u8; 32];

const BLOCK: usize = 64;

/// The mark over the parts, one after the other; their borders must follow from their content.
pub fn mark(key: &Key, parts: &[&[u8]]) -> Mac {
    let mut inner = Sha256::new_with_prefix(pad(key, 0x36));
    for part in parts {
        inner.update(part);
    }
    let mut outer = Sha256::new_with_prefix(pad(key, 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// Compares in time that does not depend on where the two differ.
pub fn same(found: &[u8], expected: &Mac) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .fold(0u8, |difference, (a, b)| difference | (a ^ b))
            == 0
}

fn pad(key: &Key, byte: u8) -> [u8; BLOCK] {
    let mut block = [byte; BLOCK];
    for (padded, key) in block.iter_mut().zip(key) {
        *padded ^= key;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_rfc_4231() {
        // Test case 1 (key of 20 bytes; the RFC pads with zeroes, so does this).
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex::encode(mark(&key, &[b"Hi ", b"There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        // Test case 2.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(mark(&key, &[b"what do ya want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn one_bit_or_byte_off_is_not_the_same() {
        let mac = mark(&[7; 32], &[b"x"]);
        assert!(same(&mac, &mac));
        let mut other = mac;
        other[31] ^= 1;
        assert!(!same(&other, &mac));
        assert!(!same(&mac[..31], &mac));
        assert!(!same(b"", &mac));
    }
}
