//! JSON objects as text, so that they can be broken in every way.

/// Names and values as they stand in the text, quotes included.
#[derive(Clone, Debug)]
pub struct Object(Vec<(String, String)>);

impl Object {
    pub fn new(fields: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| (format!("{name:?}"), (*value).to_owned());
        Self(fields.iter().map(field).collect())
    }

    /// The field with another value, or one more field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let name = format!("{name:?}");
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name, value.into())),
        }
        self
    }

    /// One more field, whether or not there is one of this name; the name as it is to stand in the text.
    pub fn and(mut self, raw_name: &str, value: impl Into<String>) -> Self {
        self.0.push((raw_name.to_owned(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        let name = format!("{name:?}");
        self.0.retain(|(known, _)| *known != name);
        self
    }

    pub fn value(&self, name: &str) -> &str {
        let name = format!("{name:?}");
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or("null", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        self.spaced("")
    }

    /// With this between all tokens.
    pub fn spaced(&self, space: &str) -> String {
        let fields = self.0.iter();
        let fields: Vec<String> = fields
            .map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"))
            .collect();
        format!("{space}{{{}}}{space}", fields.join(","))
    }
}

/// A string of this many bytes, quotes not counted.
pub fn long(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes))
}

/// Arrays within arrays.
pub fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// What is no JSON, made of a sound message; by name.
pub fn broken(sound: &Object) -> Vec<(String, Vec<u8>)> {
    let text = sound.text();
    let mut all: Vec<(String, Vec<u8>)> = (0..text.len())
        .map(|end| (format!("truncated to {end} bytes"), text.as_bytes()[..end].to_vec()))
        .collect();
    let mut add = |name: &str, bytes: Vec<u8>| all.push((name.to_owned(), bytes));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    add("UTF-16", utf16);
    let inside = |raw: &[u8]| [b"{\"x\":\"", raw, b"\",", &text.as_bytes()[1..]].concat();
    for (name, raw) in [
        ("invalid UTF-8", &b"\xff"[..]),
        ("overlong UTF-8", b"\xc0\xaf"),
        ("a surrogate in UTF-8", b"\xed\xa0\x80"),
        ("a cut character", b"\xe2\x82"),
        ("a NUL in a string", b"\0"),
        ("a control character in a string", b"\x01"),
        ("a line break in a string", b"\n"),
        ("an unknown escape", b"\\x41"),
        ("a cut escape", b"\\u12"),
    ] {
        add(name, inside(raw));
    }
    add(
        "invalid UTF-8 in a name",
        [b"{\"\xff\":1,", &text.as_bytes()[1..]].concat(),
    );
    for (name, before, after) in [
        ("a byte order mark", "\u{feff}", ""),
        ("a NUL in front", "\0", ""),
        ("a NUL behind", "", "\0"),
        ("garbage behind", "", " x"),
        ("a comma behind", "", ","),
        ("a brace behind", "", "}"),
        ("a comment", "/* c */", ""),
        ("two messages", &text, ""),
        ("two lines", "", &format!("\n{text}")),
        ("an array around it", "[", "]"),
        ("a string around it", "\"", "\""),
    ] {
        add(name, format!("{before}{text}{after}").into_bytes());
    }
    for (name, value) in [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("minus Infinity", "-Infinity"),
        ("a leading zero", "01"),
        ("a leading plus", "+1"),
        ("a leading dot", ".5"),
        ("a trailing dot", "5."),
        ("a number in hex", "0x10"),
        ("a number with separators", "1_000"),
        ("a bare minus", "-"),
        ("a bare word", "yes"),
        ("True", "True"),
        ("undefined", "undefined"),
        ("single quotes", "'x'"),
        ("nothing", ""),
    ] {
        add(
            &format!("{name} for a value"),
            sound.clone().with("x", value).text().into_bytes(),
        );
    }
    for (name, whole) in [
        ("spaces alone", " \t\r\n "),
        ("null", "null"),
        ("true", "true"),
        ("a number", "7"),
        ("a negative zero", "-0"),
        ("a number beyond floats", "1e400"),
        ("a string", "\"text\""),
        ("an empty array", "[]"),
        ("an array of messages", &format!("[{text},{text}]")),
        ("four thousand arrays", &deep(4_000)),
        ("four thousand open arrays", &"[".repeat(4_000)),
        ("a thousand open objects", &"{\"a\":".repeat(1_000)),
        ("a name without quotes", &text.replacen("\"id\"", "id", 1)),
        ("a missing colon", &text.replacen(':', " ", 1)),
        ("a missing comma", &text.replacen(',', " ", 1)),
        ("a trailing comma", &text.replacen('}', ",}", 1)),
        ("XML", "<payment/>"),
    ] {
        add(name, whole.as_bytes().to_vec());
    }
    all
}
