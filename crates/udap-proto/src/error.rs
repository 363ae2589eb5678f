//! What every refusal of this crate can say about itself.

/// A refusal with a stable code in words, for programs, logs and `udap explain CODE`.
///
/// The sentence is the error's `Display`; what it means and the section it comes from stand in the
/// catalogue of its crate under the same code.
pub trait Refusal: std::error::Error {
    /// The stable code, for example `aud-mismatch`.
    fn code(&self) -> &'static str;
    /// What to do about it, with this refusal's own values; `None` where the catalogue's general
    /// hint says as much.
    fn hint(&self) -> Option<String> {
        None
    }
    /// The sentence for whoever was refused: the error's own, unless that says what the server saw elsewhere
    /// and the sender did not send.
    fn told(&self) -> String {
        self.to_string()
    }
}
