//! The first answer of a TLS server: read, whole and in pieces. Nothing here may panic or be slow.

use udap_client::inspect::wire::{Answer, AnswerError, read_answer};

/// An answer, and the same as it would arrive: what was said once is not taken back when more comes.
pub fn answer(data: &[u8]) {
    let whole = read_answer(data);
    let half = data.get(..data.len() / 2).unwrap_or_default();
    match read_answer(half) {
        Ok(None) => {}
        said => assert_eq!(said, whole),
    }
    match whole {
        Ok(Some(Answer::Hello { version, .. })) => assert!(!version.name().is_empty()),
        Ok(Some(Answer::Alert { .. }) | None) => {}
        Err(error @ (AnswerError::NotTls | AnswerError::TooLong)) => drop(error.to_string()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
