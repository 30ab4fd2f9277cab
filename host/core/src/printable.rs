//! Text of a guest or a producer on its way to a person's terminal.

/// The text, cut at `max` bytes between characters, with control characters shown and not obeyed: no colours, no lines
/// that look like the host's own.
pub fn printable(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown = String::with_capacity(end);
    for c in text[..end].chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_shown_and_text_is_cut_between_characters() {
        assert_eq!(
            printable("a \u{1b}[31mé\n\tb\u{9b}", 100),
            "a \\u{1b}[31mé\\n\\tb\\u{9b}"
        );
        assert_eq!(printable("éé", 3), "é");
    }
}
