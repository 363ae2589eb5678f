use std::{fmt, path::PathBuf};

use serde::Serialize;

/// One effective value for `udap config show`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `community[0].identity.cert`
    pub key: String,
    pub value: serde_json::Value,
    pub origin: Origin,
}

impl Row {
    /// The value as a person reads it: text without quotes, lists separated by commas, `-` for none.
    pub fn text(&self) -> String {
        fn text(value: &serde_json::Value) -> String {
            match value {
                serde_json::Value::Null => "-".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(list) if list.is_empty() => "-".to_owned(),
                serde_json::Value::Array(list) => {
                    list.iter().map(text).collect::<Vec<_>>().join(", ")
                }
                other => other.to_string(),
            }
        }
        text(&self.value)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Default,
    /// A profile that comes with the program.
    Profile {
        name: String,
    },
    /// A community's description.
    Definition {
        path: PathBuf,
    },
    File {
        path: PathBuf,
        line: usize,
    },
}

/// `default`, `profile ssraa-2.0`, `community.toml` or `udap.toml:12`
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile { name } => write!(f, "profile {name}"),
            Self::Definition { path } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}
