//! The profiles, lists of codes and extension objects that come with the program, as data.

/// A description of a kind of community that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// `ssraa-2.0`
    pub name: &'static str,
    /// TOML.
    pub text: &'static str,
}

/// Those that come along.
pub const PROFILES: [Profile; 4] = [
    Profile {
        name: "ssraa-1.1",
        text: include_str!("../../communities/ssraa-1.1.toml"),
    },
    Profile {
        name: "ssraa-2.0",
        text: include_str!("../../communities/ssraa-2.0.toml"),
    },
    Profile {
        name: "tefca-ff-2.0",
        text: include_str!("../../communities/tefca-ff-2.0.toml"),
    },
    Profile {
        name: "cms-aligned-0.6",
        text: include_str!("../../communities/cms-aligned-0.6.toml"),
    },
];

/// Lists of codes that a description may name without having them.
pub(super) const CODES: [(&str, &str); 2] = [
    (
        "hl7-purpose-of-use",
        include_str!("../../communities/codes/hl7-purpose-of-use.toml"),
    ),
    (
        "tefca-exchange-purposes",
        include_str!("../../communities/codes/tefca-exchange-purposes.toml"),
    ),
];

/// Extension objects that a description may name without describing them.
pub(super) const OBJECTS: [(&str, &str); 4] = [
    (
        "hl7-b2b",
        include_str!("../../communities/objects/hl7-b2b.toml"),
    ),
    (
        "hl7-b2b-user",
        include_str!("../../communities/objects/hl7-b2b-user.toml"),
    ),
    (
        "tefca_ias",
        include_str!("../../communities/objects/tefca_ias.toml"),
    ),
    (
        "cms_smart",
        include_str!("../../communities/objects/cms_smart.toml"),
    ),
];

/// A profile by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
