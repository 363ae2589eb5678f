//! `matrix OUTPUT`: the conformance matrix, judged by what `cargo test` printed into that file.
//!
//! Exits with 0 when nothing is missing or failing, with 1 when something is, with 2 when there is
//! nothing to judge by.

use std::io::{self, Write as _};
use std::process::ExitCode;

use udap_house::matrix::{self, Runs};

fn main() -> ExitCode {
    match print() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "matrix: {why}");
            ExitCode::from(2)
        }
    }
}

fn print() -> Result<bool, String> {
    let path = std::env::args()
        .nth(1)
        .ok_or("which file holds the output of `cargo test`?")?;
    let output = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    let runs = Runs::read(&String::from_utf8_lossy(&output));
    if runs.is_empty() {
        return Err(format!("no test ran in {path}"));
    }
    let rows = matrix::read(matrix::DATA).map_err(|error| error.to_string())?;
    let report = matrix::judge(&rows, &runs);
    write!(io::stdout().lock(), "{report}").map_err(|error| error.to_string())?;
    Ok(report.passed())
}
