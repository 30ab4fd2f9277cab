//! JSON lines: each is a record's value as it stands.

use super::replay::{Ended, Line, Lines};
use fermata_core::limits::MAX_VALUE;
use std::io::{BufRead, Read};

const MARK: &[u8] = "\u{feff}".as_bytes();

/// Lines without content are passed over; a line that is too long is not kept in memory.
pub fn read(mut input: Box<dyn BufRead>, lines: &Lines) -> Result<(), Ended> {
    let mut line = Vec::new();
    for place in 1.. {
        line.clear();
        // One byte more than may be, and the line's end.
        let most = MAX_VALUE as u64 + 2;
        let read = (&mut input)
            .take(most)
            .read_until(b'\n', &mut line)
            .map_err(Ended::Io)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || (read as u64) < most;
        if !whole {
            input.skip_until(b'\n').map_err(Ended::Io)?;
        }
        let bytes = if place == 1 {
            line.strip_prefix(MARK).unwrap_or(&line)
        } else {
            &line
        };
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        let told = if whole {
            serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|e| format!("it is not JSON: {e}"))
        } else {
            Err(format!("it is longer than a record may be ({MAX_VALUE} bytes)"))
        };
        let line = match told {
            Ok(_) => Line::Good {
                place,
                value: bytes.to_vec(),
            },
            Err(why) => Line::Bad { place, why },
        };
        if !lines.put(line) {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places with values, or `None` for a bad line.
    fn all(text: Vec<u8>) -> Vec<(u64, Option<String>)> {
        let lines = Lines::all(|lines| {
            let input = Box::new(std::io::Cursor::new(text));
            assert!(read(input, lines).is_ok());
        });
        let place = |line| match line {
            Line::Good { place, value } => (place, Some(String::from_utf8(value).unwrap())),
            Line::Bad { place, .. } => (place, None),
            Line::Failed(failure) => panic!("{failure}"),
        };
        lines.into_iter().map(place).collect()
    }

    #[test]
    fn good_lines_keep_their_bytes_and_bad_ones_their_number() {
        let text = "\u{feff}{\"a\": 1e400}\r\n\n  [1]  \n{\"a\"\n\"last\"";
        assert_eq!(
            all(text.into()),
            [
                (1, Some("{\"a\": 1e400}".into())),
                (3, Some("[1]".into())),
                (4, None),
                (5, Some("\"last\"".into())),
            ]
        );
        assert_eq!(all(b"\xff\n1\n".to_vec()), [(1, None), (2, Some("1".into()))]);
        assert_eq!(all(Vec::new()), []);
    }

    #[test]
    fn a_line_that_is_too_long_does_not_take_the_next_one_with_it() {
        let long = format!("\"{}\"\n1\n", "x".repeat(3 * MAX_VALUE));
        assert_eq!(all(long.into()), [(1, None), (2, Some("1".into()))]);
        let longest = format!("\"{}\"", "x".repeat(MAX_VALUE - 2));
        assert_eq!(all(format!("{longest}\n").into()), [(1, Some(longest))]);
    }
}
