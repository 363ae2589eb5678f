//! Distinguished names.
/// A distinguished name: `Display` is RFC 4514, equality is RFC 5280 §7.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name;

impl Name {
    /// The DER of the Name.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        todo!()
    }
}
impl std::fmt::Display for Name {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
