//! The line on a terminal that says what is going on: of one thing or of several at once. What is told meanwhile comes above it, and it goes away with
//! the last of them. Here are the texts; [`super::Ui`] writes them.

/// Takes the line away that the cursor stands at the beginning of.
const ERASE: &str = "\x1b[2K\r";

/// What is going on.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Each with its number, in the order in which they began.
    texts: Vec<(u64, String)>,
    last: u64,
}

impl Standing {
    /// Begins to show something; answers its number, and what is to be written.
    pub(super) fn begin(&mut self, text: &str, room: usize) -> (u64, String) {
        let erased = self.erased();
        self.last += 1;
        self.texts.push((self.last, text.to_owned()));
        (self.last, format!("{erased}{}", self.line(room)))
    }

    /// Ends to show it.
    pub(super) fn end(&mut self, number: u64, room: usize) -> String {
        let erased = self.erased();
        self.texts.retain(|(other, _)| *other != number);
        format!("{erased}{}", self.line(room))
    }

    /// Something that stays, above what is going on.
    pub(super) fn beside(&self, text: &str, room: usize) -> String {
        format!("{}{text}{}", self.erased(), self.line(room))
    }

    fn erased(&self) -> &'static str {
        if self.texts.is_empty() { "" } else { ERASE }
    }

    /// The line, no longer than there is room: one that wraps could not be erased.
    fn line(&self, room: usize) -> String {
        let texts: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        let whole = match texts.as_slice() {
            [] => return String::new(),
            [only] => (*only).to_owned(),
            several => format!("{} at once: {}", several.len(), several.join(" ")),
        };
        let line: String = whole.chars().take(room).collect();
        format!("{line}\r")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_things_share_a_line_and_what_is_told_stands_above_it() {
        let mut standing = Standing::default();
        assert_eq!(standing.beside("told\n", 20), "told\n");
        let (one, written) = standing.begin("one …", 20);
        assert_eq!(written, "one …\r");
        let (two, written) = standing.begin("two …", 20);
        assert_eq!(written, format!("{ERASE}2 at once: one … two\r"));
        let told = standing.beside("told\n", 20);
        assert_eq!(told, format!("{ERASE}told\n2 at once: one … two\r"));
        assert_eq!(standing.end(one, 20), format!("{ERASE}two …\r"));
        assert_eq!(standing.end(two, 20), ERASE);
        assert_eq!(standing.beside("told\n", 20), "told\n");
    }
}
