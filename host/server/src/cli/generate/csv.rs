//! CSV (RFC 4180) with a header: each row becomes a JSON object.
//!
//! A column named `size:number`, `:text`, `:bool` or `:json` has that type. Of any other column the first cell that
//! is not empty decides: numbers if it is a JSON number, else texts. The column of the key is of texts: what looks like
//! a number there is a name. Numbers keep their digits. An empty cell is left out.

use super::replay::{Ended, Line, Lines};
use csv::{ByteRecord, ReaderBuilder};
use serde_json::value::RawValue;
use std::io::BufRead;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bool,
    Json,
}

const KINDS: [(&str, Kind); 4] = [
    ("text", Kind::Text),
    ("number", Kind::Number),
    ("bool", Kind::Bool),
    ("json", Kind::Json),
];

struct Column {
    name: String,
    /// `None`: no cell has decided yet.
    kind: Option<Kind>,
}

/// `key`: the field that is the record's key.
pub fn read(input: Box<dyn BufRead>, key: Option<&str>, lines: &Lines) -> Result<(), Ended> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(input);
    let mut row = ByteRecord::new();
    let mut columns: Option<Vec<Column>> = None;
    while reader.read_byte_record(&mut row).map_err(failed)? {
        let place = row.position().map_or(0, csv::Position::line);
        let Some(columns) = &mut columns else {
            let header = header(&row, key).map_err(|why| Ended::Unusable { place, why })?;
            columns = Some(header);
            continue;
        };
        let line = match object(columns, &row) {
            Ok(text) => Line::Good {
                place,
                value: text.into_bytes(),
            },
            Err(why) => Line::Bad { place, why },
        };
        if !lines.put(line) {
            return Ok(());
        }
    }
    Ok(())
}

/// Bytes and flexible rows leave nothing to fail but reading itself.
fn failed(error: csv::Error) -> Ended {
    Ended::Io(match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    })
}

fn header(row: &ByteRecord, key: Option<&str>) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::new();
    for cell in row {
        let cell = std::str::from_utf8(cell)
            .map_err(|_| "the header is not UTF-8".to_owned())?
            .trim();
        let (name, kind) = match cell.rsplit_once(':') {
            None => (cell, None),
            Some((name, kind)) => {
                let known = KINDS.iter().find(|(known, _)| *known == kind.trim());
                let known = known
                    .ok_or_else(|| format!("column {cell:?} names no type; types are text, number, bool and json"))?;
                (name.trim(), Some(known.1))
            }
        };
        if name.is_empty() {
            return Err(format!("column {} has no name", columns.len() + 1));
        }
        if columns.iter().any(|column| column.name == name) {
            return Err(format!("two columns are named {name:?}"));
        }
        let kind = kind.or((key == Some(name)).then_some(Kind::Text));
        columns.push(Column {
            name: name.to_owned(),
            kind,
        });
    }
    Ok(columns)
}

fn object(columns: &mut [Column], row: &ByteRecord) -> Result<String, String> {
    if row.len() != columns.len() {
        return Err(format!("it has {} cells, the header has {}", row.len(), columns.len()));
    }
    let mut fields = Vec::with_capacity(columns.len());
    for (column, cell) in columns.iter_mut().zip(row) {
        if cell.is_empty() {
            continue;
        }
        let name = &column.name;
        let cell = std::str::from_utf8(cell).map_err(|_| format!("{name} is not UTF-8"))?;
        let kind = *column.kind.get_or_insert_with(|| {
            if number(cell).is_some() {
                Kind::Number
            } else {
                Kind::Text
            }
        });
        let value = value(kind, cell).ok_or_else(|| {
            let what = match kind {
                Kind::Number => "a JSON number, as its column's type or first cell asks",
                Kind::Bool => "true or false",
                _ => "JSON",
            };
            format!("{name} is {:?}, not {what}", cell.chars().take(40).collect::<String>())
        })?;
        fields.push(format!("{}:{value}", text(name)));
    }
    Ok(format!("{{{}}}", fields.join(",")))
}

/// The cell as it stands in JSON; `None`: it is not of this kind.
fn value(kind: Kind, cell: &str) -> Option<String> {
    match kind {
        Kind::Text => Some(text(cell)),
        Kind::Number => number(cell).map(str::to_owned),
        Kind::Bool => matches!(cell.trim(), "true" | "false").then(|| cell.trim().to_owned()),
        Kind::Json => serde_json::from_str::<&RawValue>(cell)
            .ok()
            .map(|raw| raw.get().to_owned()),
    }
}

/// The digits of a JSON number.
fn number(cell: &str) -> Option<&str> {
    let raw = serde_json::from_str::<&RawValue>(cell).ok()?.get();
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(raw)
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Result<Vec<(u64, String)>, String> {
        let mut ended = Ok(());
        let lines = Lines::all(|lines| {
            ended = read(Box::new(std::io::Cursor::new(text.to_vec())), Some("id"), lines);
        });
        match ended {
            Ok(()) => Ok(()),
            Err(Ended::Unusable { why, .. }) => Err(why),
            Err(Ended::Io(error)) => Err(error.to_string()),
        }?;
        let told = |line| match line {
            Line::Good { place, value } => (place, String::from_utf8(value).unwrap()),
            Line::Bad { place, why } => (place, why),
            Line::Failed(failure) => panic!("{failure}"),
        };
        Ok(lines.into_iter().map(told).collect())
    }

    #[test]
    fn rows_become_objects_of_their_columns_types() {
        let text = "id,amount,note,flag:bool,extra:json\n\
                    17,1250,\"said \"\"hi\"\", then\nleft\",true,\"{\"\"a\"\": [1]}\"\n\
                    18,12345678901234567890123456789012345678901,7,,\n";
        assert_eq!(
            all(text.as_bytes()).unwrap(),
            [
                (
                    2,
                    r#"{"id":"17","amount":1250,"note":"said \"hi\", then\nleft","flag":true,"extra":{"a": [1]}}"#
                        .into()
                ),
                (
                    4,
                    r#"{"id":"18","amount":12345678901234567890123456789012345678901,"note":"7"}"#.into()
                ),
            ]
        );
    }

    #[test]
    fn the_first_cell_decides_and_what_does_not_fit_is_a_bad_line() {
        let text = "id,amount,zip:text\n1,,0421\n2,7,0421\n3,lots,1\n4,07,1\n5,8\n6,9,1,2\n7,10,2\n";
        let found = all(text.as_bytes()).unwrap();
        let told = |place: u64| &found.iter().find(|(at, _)| *at == place).expect("a line").1;
        assert_eq!(told(2), r#"{"id":"1","zip":"0421"}"#);
        assert_eq!(told(3), r#"{"id":"2","amount":7,"zip":"0421"}"#);
        assert!(told(4).starts_with("amount is \"lots\"") && told(5).starts_with("amount is \"07\""));
        assert!(told(6).contains("2 cells") && told(7).contains("4 cells"));
        assert_eq!(told(8), r#"{"id":"7","amount":10,"zip":"2"}"#);
    }

    #[test]
    fn a_cell_that_is_not_utf8_is_a_bad_line_alone() {
        let found = all(b"id,x\n1,\xff\n2,b\n").unwrap();
        assert_eq!(
            found,
            [(2, "x is not UTF-8".into()), (3, r#"{"id":"2","x":"b"}"#.into())]
        );
    }

    #[test]
    fn a_header_that_says_nothing_ends_the_reading() {
        for (text, part) in [
            ("a,a\n1,2\n", "two columns"),
            ("a,\n", "no name"),
            ("a:int\n", "types are"),
        ] {
            let why = all(text.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{text:?}: {why}");
        }
        assert_eq!(all(b"").unwrap(), []);
    }
}
