//! What goes to the user: results to standard output, words beside them to standard error.
//!
//! Names and values come from files; control characters in them are shown, not obeyed. A reader who has seen enough (`|
//! head`) ends the process quietly; any other failure of standard output ends it with a word and exit code 2.

use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use crate::args::Talk;

/// Prints a line to standard output.
macro_rules! say {
    ($($words:tt)*) => { $crate::terminal::out(&($crate::terminal::clean(&format!($($words)*)) + "\n")) };
}

/// Prints to standard output.
macro_rules! show {
    ($($words:tt)*) => { $crate::terminal::out(&$crate::terminal::clean(&format!($($words)*))) };
}

/// Prints a line to standard error that no result depends on: what goes on, what could be done next.
macro_rules! news {
    ($($words:tt)*) => { if !$crate::terminal::is_quiet() { $crate::terminal::note!($($words)*) } };
}

/// Prints a line to standard error: what a result depends on, or what went wrong.
macro_rules! note {
    ($($words:tt)*) => { $crate::terminal::err(&$crate::terminal::clean(&format!($($words)*))) };
}

pub(crate) use {news, note, say, show};

/// How much is said, once [`listen`] was called.
static TALK: OnceLock<Talk> = OnceLock::new();

/// Takes down how much the user wants to hear, and whether in colours.
pub fn listen(talk: &Talk) {
    talk.color.write_global();
    let _ = TALK.set(*talk);
}

/// Whether nothing is to be said but results, what they depend on, and what went wrong.
pub fn is_quiet() -> bool {
    TALK.get().is_some_and(|talk| talk.quiet)
}

/// Whether more is to be said.
pub fn is_verbose() -> bool {
    TALK.get().is_some_and(|talk| talk.verbose)
}

/// Whether what steers a terminal reaches it; it is taken away with the colours.
pub fn is_steered() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// The width of the terminal that results go to; `None` where they go elsewhere.
pub fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// The text with its control characters in words, `\u{1b}`: those that steer a terminal, and those that turn the
/// direction of writing.
pub fn clean(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { clean.extend(c.escape_unicode()) } else { clean.push(c) }
    }
    clean
}

/// Prints text as it is, colours included.
pub fn out(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    drop(stdout);
    written.unwrap_or_else(|error| unwritten(&error));
}

/// Prints a line to standard error as it is; where that cannot be written, nobody can be told.
pub fn err(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Ends the process, since standard output cannot be written.
pub fn unwritten(error: &std::io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    note!("cannot write to standard output: {error}");
    std::process::exit(2);
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(clean("a\u{1b}[31m\r\n\tb\u{7}\u{9b}\u{202e}ü"), "a\\u{1b}[31m\\u{d}\n\tb\\u{7}\\u{9b}\\u{202e}ü");
    }
}
