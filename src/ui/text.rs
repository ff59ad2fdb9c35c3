//! Text from elsewhere, made harmless for a terminal.

/// The text without control characters: a registry, a repository or a cluster may send escape sequences.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| {
            if is_harmful(character) {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

/// True for control characters, and for those that turn the direction of writing.
pub(crate) fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(
            harmless("a\x1b[31mb\nc\u{202e}"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}"
        );
        assert_eq!(harmless("grün"), "grün");
    }

    #[test]
    fn fuzzed() {
        let samples: [&[u8]; 2] = [
            "a\u{1b}]0;title\u{7}b\u{9b}31m".as_bytes(),
            "grün 🦀 \u{202e}x".as_bytes(),
        ];
        let words = [
            "\u{1b}[2J",
            "\u{9b}",
            "\r",
            "\u{8}",
            "\u{7f}",
            "\u{2066}",
            "\u{2028}",
        ];
        tracebloc_fuzz::fuzz("text", &samples, &words, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let clean = harmless(&text);
            assert!(!clean.contains(is_harmful), "{clean:?}");
            assert_eq!(clean.chars().count(), text.chars().count());
            assert_eq!(harmless(&clean), clean);
        });
    }
}
