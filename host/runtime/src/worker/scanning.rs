//! Scans that a guest asks for: bounded before they are read, not after.

use bytes::Bytes;
use fermata_core::limits::{MAX_SCAN_BYTES, MAX_SCAN_ENTRIES};
use fermata_core::ports::{Refused, StateError};
use fermata_core::{Fault, FaultCode};

/// Entries that are read at once: what they hold is known only then, and each may be as large as a value can be.
const PAGE: usize = 64;

pub type Entries = Vec<(Bytes, Bytes)>;

/// At most `limit` entries strictly behind `after`, page by page; a fault as soon as there are too many bytes.
pub fn within_bounds(
    limit: u32,
    after: Option<&[u8]>,
    mut page: impl FnMut(Option<&[u8]>, usize) -> Result<Entries, StateError>,
) -> Result<Entries, Refused> {
    let refuse = |text: String| Err(Refused::Fault(Fault::new(FaultCode::Size, text)));
    if limit > MAX_SCAN_ENTRIES {
        return refuse(format!(
            "a scan of {limit} entries, at most {MAX_SCAN_ENTRIES}: page with `after`"
        ));
    }
    let mut found = Entries::new();
    let mut bytes = 0;
    let mut after = after.map(Bytes::copy_from_slice);
    loop {
        let wanted = (limit as usize - found.len()).min(PAGE);
        let more = page(after.as_deref(), wanted).map_err(|error| Refused::Host(error.to_string()))?;
        bytes += more.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if bytes > MAX_SCAN_BYTES {
            return refuse(format!(
                "a scan of more than {bytes} bytes, at most {MAX_SCAN_BYTES}: use a smaller limit"
            ));
        }
        let last = more.len() < wanted;
        found.extend(more);
        if last || found.len() >= limit as usize {
            return Ok(found);
        }
        after = found.last().map(|(key, _)| key.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(from: usize, to: usize, bytes: usize) -> Entries {
        let entry = |n: usize| (format!("{n:04}").into(), vec![0; bytes].into());
        (from..to).map(entry).collect()
    }

    /// A store of `count` entries, and how many of them were ever read.
    fn scan(limit: u32, count: usize, bytes: usize) -> (Result<Entries, Refused>, usize) {
        let mut read = 0;
        let found = within_bounds(limit, None, |after, limit| {
            let from = after.map_or(0, |a| std::str::from_utf8(a).unwrap().parse::<usize>().unwrap() + 1);
            let page = entries(from, count.min(from + limit), bytes);
            read += page.len();
            Ok(page)
        });
        (found, read)
    }

    #[test]
    fn pages_join() {
        for (limit, count) in [
            (0, 10),
            (1, 10),
            (64, 64),
            (64, 65),
            (200, 130),
            (1_000, 1_000),
            (1_000, 64),
        ] {
            let expected = entries(0, count.min(limit as usize), 3);
            assert_eq!(scan(limit, count, 3).0, Ok(expected), "{limit} of {count}");
        }
    }

    #[test]
    fn large_entries_are_not_all_read_before_they_are_refused() {
        let (found, read) = scan(1_000, 1_000, MAX_SCAN_BYTES / 2);
        assert!(matches!(found, Err(Refused::Fault(f)) if f.code == FaultCode::Size));
        assert_eq!(read, PAGE);
        assert!(scan(1_001, 1, 1).0.is_err());
    }
}
