//! Data on stdout, talk on stderr. `anstream` leaves colours out where they are not wanted.

use crate::problem::Problem;
use comfy_table::{Table, presets};
use rustix::termios::tcgetwinsize;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use udap_pki::is_bidi_control;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// `--json`: one JSON value.
    Json,
}

impl Format {
    pub(crate) const fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Human }
    }
}

/// Exit code 1: no, refused, or not known where it has to be.
pub(crate) const NO: u8 = 1;
/// Exit code 2: unreadable input or wrong usage.
pub(crate) const UNREADABLE: u8 = 2;

/// Data, with a line end.
pub(crate) fn data(text: &str) -> Result<(), Problem> {
    written(writeln!(anstream::stdout(), "{}", layout(text)))
}

/// Data as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Problem> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A JSON value, indented for people's eyes on a terminal and on one line elsewhere.
pub(crate) fn json(value: &Value) -> Result<(), Problem> {
    data(&json_text(value))
}

/// The same as text.
pub(crate) fn json_text(value: &Value) -> String {
    if io::stdout().is_terminal() {
        json_lines(value)
    } else {
        json_line(value)
    }
}

/// A JSON value on one line.
pub(crate) fn json_line(value: &Value) -> String {
    escaped(&value.to_string())
}

/// A JSON value, indented.
pub(crate) fn json_lines(value: &Value) -> String {
    escaped(&format!("{value:#}"))
}

/// JSON leaves C1 controls and what turns text around as they are. They stand in its strings only, where
/// their escapes mean the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => text.push(c),
            c if is_unprintable(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// A text on its one line. Strangers wrote some of what people are shown: nothing in it moves the cursor,
/// begins a line, turns the text around or has our colours.
pub(crate) fn printable(text: &str) -> String {
    text.replace(is_unprintable, "\u{fffd}")
}

/// C0, C1, and what turns text around.
fn is_unprintable(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\u{200e}' | '\u{200f}')
}

/// What a terminal gets, whoever wrote what: line ends and our own colours are all of it that is no text.
fn layout(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut shown = lines(parts.next().unwrap_or_default());
    for part in parts {
        let own = OWN.iter().find(|own| part.starts_with(**own)).copied();
        shown.push(own.map_or('\u{fffd}', |_| '\x1b'));
        shown.push_str(&lines(part));
    }
    shown
}

/// Each line by itself.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// The colours that this program uses.
const OWN: [&str; 7] = ["[0m", "[1m", "[31m", "[32m", "[33m", "[1;31m", "[1;32m"];

/// The sign of what went well.
pub(crate) const TICK: &str = "\x1b[1;32m✓\x1b[0m";

/// That something went well.
pub(crate) fn well(text: &str) -> String {
    format!("{TICK} {}", printable(text))
}

/// A text in bold.
pub(crate) fn bold(text: &str) -> String {
    format!("\x1b[1m{}\x1b[0m", printable(text))
}

/// Names and values, the values under one another; a value of several lines stays in its column.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = pairs.iter().flat_map(|(name, value)| {
        value.lines().enumerate().map(move |(i, line)| {
            let name = if i == 0 { name } else { "" };
            format!("  {:width$}  {}", printable(name), printable(line))
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Octets in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A table, without blanks at the ends of its lines; no header where that is empty.
pub(crate) fn table<const N: usize>(header: &[&str], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.map(|cell| lines(&cell)));
    }
    let text = table.to_string();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The same where the terminal is wide enough for it; otherwise each row as a block of names and values. One
/// line each where there is no terminal.
pub(crate) fn table_or_blocks<const N: usize>(
    header: &[&str; N],
    rows: Vec<[String; N]>,
) -> String {
    arranged(header, rows, columns())
}

fn arranged<const N: usize>(
    header: &[&str; N],
    rows: Vec<[String; N]>,
    columns: Option<usize>,
) -> String {
    let wide = table(header, rows.clone());
    if fits(&wide, columns) {
        return wide;
    }
    let blocks: Vec<_> = rows.iter().map(|row| block(header, row)).collect();
    blocks.join("\n")
}

/// Whether each line of a text is as wide as that at most.
pub(crate) fn fits(text: &str, columns: Option<usize>) -> bool {
    columns.is_none_or(|columns| text.lines().all(|line| line.chars().count() <= columns))
}

/// A row by itself: its first two cells, and below them the others that say something.
pub(crate) fn block(header: &[&str], row: &[String]) -> String {
    let (head, rest) = row.split_at_checked(2).unwrap_or((row, &[]));
    let names: Vec<_> = header
        .iter()
        .skip(2)
        .map(|name| name.to_lowercase())
        .collect();
    let named = names.iter().map(String::as_str).zip(rest.iter().cloned());
    let named: Vec<_> = named.filter(|(_, value)| !value.is_empty()).collect();
    format!("{}\n{}", bold(&head.join("  ")), pairs(&named))
        .trim_end()
        .to_owned()
}

/// How wide the terminal is that data goes to, if it goes to one.
pub(crate) fn columns() -> Option<usize> {
    let out = io::stdout();
    let size = tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Talk. Nobody is left to be told when stderr is closed.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", layout(text));
}

/// Wrong usage, or `--help` and `--version`, which clap prints to where they belong.
pub(crate) fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if error.use_stderr() && args.iter().any(|arg| arg == "--json") {
        let message = error.render().to_string();
        // Up to the empty line before the usage: the sentence, and the options it is about.
        let sentence: Vec<_> = message
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let sentence = sentence.join(" ");
        let problem = Problem::new("usage", sentence.trim_start_matches("error: "))
            .hint("`--help` after the command shows its options")
            .unreadable();
        return problem.report(Format::Json);
    }
    // There is nobody to tell when it cannot be printed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(UNREADABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Whoever closed the pipe has seen enough; a full disk is another matter.
fn written(result: io::Result<()>) -> Result<(), Problem> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new(
            "output-unwritable",
            format!("the output cannot be written: {error}"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears the line that it stands in, hides it, looks like ours, and turns what follows around.
    const HOSTILE: &str = "a\u{1b}[2K\rb\u{9b}8mc\u{1b}[1;32m✓\u{202e}d\u{2066}\u{200f}\u{7f}\te";

    fn is_clean(text: &str) -> bool {
        !text.contains(|c: char| c != '\n' && is_unprintable(c))
    }

    #[test]
    fn what_strangers_wrote_stands_on_its_line_as_text() {
        let shown = "a\u{fffd}[2K\u{fffd}b\u{fffd}8mc\u{fffd}[1;32m✓\u{fffd}d\u{fffd}\u{fffd}\u{fffd}\u{fffd}e";
        assert_eq!(printable(HOSTILE), shown);
        assert_eq!(printable("x\ny"), "x\u{fffd}y");
        assert_eq!(bold(HOSTILE), format!("\x1b[1m{shown}\x1b[0m"));
        assert_eq!(
            pairs(&[(HOSTILE, HOSTILE.into())]),
            format!("  {shown}  {shown}")
        );
        let cells = table(
            &["WHO", "WHAT"],
            vec![["you".into(), format!("{HOSTILE}\nf")]],
        );
        assert_eq!(cells, format!(" WHO  WHAT\n you  {shown}\n      f"));
    }

    /// Where nothing was done about a text before, it does no worse than colours.
    #[test]
    fn a_terminal_gets_lines_our_colours_and_text() {
        let all = format!("{TICK} \x1b[1mfine\x1b[0m\n{HOSTILE}\x1b[8m");
        let shown = layout(&all);
        let without = OWN.iter().fold(shown.clone(), |text, own| {
            text.replace(&format!("\x1b{own}"), "")
        });
        assert!(is_clean(&without), "{shown:?}");
        assert!(
            shown.starts_with(&format!("{TICK} \x1b[1mfine\x1b[0m\na\u{fffd}[2K")),
            "{shown:?}"
        );
        assert_eq!(layout("a\n\nb\n"), "a\n\nb\n");
    }

    #[test]
    fn json_is_escaped_and_means_the_same() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, "x\ny"] });
        for text in [json_line(&value), json_lines(&value)] {
            assert!(is_clean(&text), "{text:?}");
            assert!(
                text.contains("\\u009b8m") && text.contains("\\u202e"),
                "{text:?}"
            );
            assert_eq!(
                serde_json::from_str::<Value>(&text).ok().as_ref(),
                Some(&value)
            );
        }
    }

    #[test]
    fn a_table_that_is_wider_than_the_terminal_is_blocks() {
        let header = ["STATE", "CLIENT", "URI", "LAST TOKEN"];
        let row = ["active", "2xBU", "https://app.example", ""].map(str::to_owned);
        let table = arranged(&header, vec![row.clone()], None);
        assert_eq!(table.lines().count(), 2, "{table}");
        let width = table.lines().map(|line| line.chars().count()).max();
        assert_eq!(arranged(&header, vec![row.clone()], width), table);
        let narrow = width.map(|width| width - 1);
        assert_eq!(
            arranged(&header, vec![row.clone(), row], narrow),
            [
                "\x1b[1mactive  2xBU\x1b[0m\n  uri  https://app.example",
                "\x1b[1mactive  2xBU\x1b[0m\n  uri  https://app.example"
            ]
            .join("\n")
        );
    }

    #[test]
    fn values_stand_under_one_another() {
        assert_eq!(
            pairs(&[("a", "1".into()), ("long", "2\n3".into())]),
            "  a     1\n  long  2\n        3"
        );
    }
}
