//! `udap explain`

use crate::catalogue;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_pki::Explanation;

/// What an error code means, what to do about it, and where the rule is written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The code, as it stands in brackets behind `error`
    #[arg(value_name = "CODE", required_unless_present = "all")]
    code: Option<String>,
    /// Every code there is
    #[arg(long, conflicts_with = "code")]
    all: bool,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<ExitCode, Problem> {
    let Some(code) = &args.code else {
        return all(format);
    };
    let entry = catalogue::find(code).ok_or_else(|| {
        let problem = Problem::new("code-unknown", format!("there is no code `{code}`"));
        match catalogue::nearest(code).as_slice() {
            [] => problem,
            near => problem.hint(format!("did you mean {}?", near.join(", "))),
        }
    })?;
    match format {
        Format::Human => output::data(&to_text(entry))?,
        Format::Json => output::json(&to_json(entry))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn all(format: Format) -> Result<ExitCode, Problem> {
    let mut entries: Vec<_> = catalogue::all().collect();
    entries.sort_by_key(|entry| entry.code);
    entries.dedup_by_key(|entry| entry.code);
    match format {
        Format::Human => {
            let rows: Vec<_> = entries
                .iter()
                .map(|entry| (entry.code, entry.title.to_owned()))
                .collect();
            output::data(&output::pairs(&rows))?;
        }
        Format::Json => {
            let values: Vec<Value> = entries.into_iter().map(to_json).collect();
            output::json(&Value::Array(values))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_text(entry: &Explanation) -> String {
    let mut text = format!(
        "{}: {}\n\n{}\n\n{}\n",
        output::bold(entry.code),
        entry.title,
        wrapped(entry.meaning),
        wrapped(&format!("What to do: {}", entry.hint))
    );
    if entry.section != "—" && !entry.section.is_empty() {
        text.push_str(&format!("Rule: {}\n", entry.section));
    }
    text.trim_end().to_owned()
}

fn to_json(entry: &Explanation) -> Value {
    json!({
        "code": entry.code,
        "title": entry.title,
        "meaning": entry.meaning,
        "hint": entry.hint,
        "section": entry.section,
    })
}

/// Lines of at most 90 characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 90 {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines
}

const EXAMPLES: &str = "\
EXAMPLES
  udap explain san-uri-mismatch
  udap explain --all
  udap explain --all --json";
