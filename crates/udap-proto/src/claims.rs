//! The registered claims of a JWT (RFC 7519 §4.1), read once into types that cannot be wrong.

use crate::error::Refusal;
use serde_json::{Map, Value};
use udap_pki::UnixTime;

/// How far two honest clocks may differ, in seconds: applied to `iat`, `nbf` and `exp`. A token's
/// lifetime is a difference of two of its own claims and gets no such leeway.
pub const SKEW_SECS: i64 = 30;
/// The longest lifetime of a software statement or an authentication token, in seconds
/// (HL7 SSRAA §3.1, §4.2).
pub const MAX_LIFETIME_SECS: i64 = 300;
/// The longest `jti` that is kept, in bytes.
pub const MAX_JTI: usize = 256;
/// The longest `iss`, in bytes: it is the key of a registration, and a database's index has an end.
pub const MAX_ISS: usize = 2000;

/// Why the claims of a JWT were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ClaimError {
    #[error("claim `{claim}` is missing")]
    Missing { claim: &'static str },
    #[error("claim `{claim}` is required here, and is missing or empty")]
    Required { claim: String },
    #[error("claim `{claim}` is not {expected}")]
    Shape {
        claim: &'static str,
        expected: &'static str,
    },
    #[error("claim `sub` is `{sub}`, but must equal `iss`, which is `{iss}`")]
    SubNotIss { iss: String, sub: String },
    #[error("claim `aud` is {found:?}, but must contain `{expected}`")]
    Audience {
        expected: String,
        found: Vec<String>,
    },
    #[error("claim `iss` is `{found}`, but must be `{expected}`")]
    Issuer { expected: String, found: String },
    #[error("expired: `exp` is {exp}, and it is {now}")]
    Expired { exp: UnixTime, now: UnixTime },
    #[error("issued in the future: `{claim}` is {at}, and it is {now}")]
    Future {
        claim: &'static str,
        at: UnixTime,
        now: UnixTime,
    },
    #[error("`exp` ({exp}) is not later than `iat` ({iat})")]
    ExpBeforeIat { iat: UnixTime, exp: UnixTime },
    #[error("the lifetime (`exp` − `iat`) is {secs} s; at most {max} s are allowed")]
    Lifetime { secs: i64, max: i64 },
}

impl Refusal for ClaimError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "claim-missing",
            Self::Required { .. } => "claim-required",
            Self::Shape { .. } => "claim-malformed",
            Self::SubNotIss { .. } => "sub-not-iss",
            Self::Audience { .. } => "aud-mismatch",
            Self::Issuer { .. } => "iss-mismatch",
            Self::Expired { .. } => "jwt-expired",
            Self::Future { .. } => "jwt-from-the-future",
            Self::ExpBeforeIat { .. } => "exp-before-iat",
            Self::Lifetime { .. } => "jwt-lifetime",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Audience { expected, found } => {
                let near = found.iter().find_map(|f| near_miss(expected, f))?;
                Some(format!(
                    "the two differ {near}; URIs are compared byte for byte"
                ))
            }
            Self::Issuer { expected, found } => Some(format!(
                "the two differ {}; URIs are compared byte for byte",
                near_miss(expected, found)?
            )),
            Self::Expired { exp, now } => Some(format!(
                "it expired {} s ago; if it was made just now, compare the clocks of both machines",
                now.0.saturating_sub(exp.0)
            )),
            _ => None,
        }
    }
}

/// The registered claims, and the others as they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `iss`
    pub iss: String,
    /// `sub`
    pub sub: String,
    /// `aud`: one or several
    pub aud: Vec<String>,
    /// `exp`
    pub exp: UnixTime,
    /// `iat`
    pub iat: UnixTime,
    /// `nbf`
    pub nbf: Option<UnixTime>,
    /// `jti`
    pub jti: String,
}

impl Claims {
    /// Reads `iss`, `sub`, `exp`, `iat`, `jti`, and `aud` and `nbf` where present.
    ///
    /// # Errors
    /// [`ClaimError::Missing`] or [`ClaimError::Shape`]. Dates are numbers (RFC 7519 §2 allows
    /// fractions, which are cut off), never strings.
    pub fn read(payload: &Map<String, Value>) -> Result<Self, ClaimError> {
        Ok(Self {
            iss: iss(payload)?,
            sub: text(payload, "sub")?,
            aud: audience(payload)?,
            exp: date(payload, "exp")?,
            iat: date(payload, "iat")?,
            nbf: payload
                .contains_key("nbf")
                .then(|| date(payload, "nbf"))
                .transpose()?,
            jti: jti(payload)?,
        })
    }

    /// # Errors
    /// [`ClaimError::SubNotIss`]
    pub fn require_sub_is_iss(&self) -> Result<(), ClaimError> {
        if self.sub == self.iss {
            return Ok(());
        }
        Err(ClaimError::SubNotIss {
            iss: self.iss.clone(),
            sub: self.sub.clone(),
        })
    }

    /// # Errors
    /// [`ClaimError::Issuer`]
    pub fn require_issuer(&self, expected: &str) -> Result<(), ClaimError> {
        require_issuer(&self.iss, expected)
    }

    /// # Errors
    /// [`ClaimError::Missing`] without `aud`, [`ClaimError::Audience`] when `expected` is not in it.
    pub fn require_audience(&self, expected: &str) -> Result<(), ClaimError> {
        require_audience(&self.aud, expected)
    }

    /// As [`Self::require_audience`], for one who goes by several names; the first is the one that an
    /// error names.
    ///
    /// # Errors
    /// As [`Self::require_audience`].
    pub fn require_one_audience(&self, expected: &[&str]) -> Result<(), ClaimError> {
        if self.aud.iter().any(|aud| expected.contains(&aud.as_str())) {
            return Ok(());
        }
        require_audience(&self.aud, expected.first().copied().unwrap_or_default())
    }

    /// Whether it is in force now, and never was meant to be for longer than `max_lifetime` seconds.
    ///
    /// # Errors
    /// [`ClaimError::Expired`], [`ClaimError::Future`], [`ClaimError::ExpBeforeIat`] or
    /// [`ClaimError::Lifetime`].
    pub fn require_in_force(&self, now: UnixTime, max_lifetime: i64) -> Result<(), ClaimError> {
        if self.exp <= self.iat {
            return Err(ClaimError::ExpBeforeIat {
                iat: self.iat,
                exp: self.exp,
            });
        }
        let secs = self.exp.0.saturating_sub(self.iat.0);
        if secs > max_lifetime {
            return Err(ClaimError::Lifetime {
                secs,
                max: max_lifetime,
            });
        }
        require_unexpired(self.exp, now)?;
        require_past("iat", self.iat, now)?;
        self.nbf.map_or(Ok(()), |nbf| require_past("nbf", nbf, now))
    }
}

pub(crate) fn require_issuer(iss: &str, expected: &str) -> Result<(), ClaimError> {
    if iss == expected {
        return Ok(());
    }
    Err(ClaimError::Issuer {
        expected: expected.to_owned(),
        found: iss.to_owned(),
    })
}

pub(crate) fn require_audience(aud: &[String], expected: &str) -> Result<(), ClaimError> {
    if aud.is_empty() {
        return Err(ClaimError::Missing { claim: "aud" });
    }
    if aud.iter().any(|aud| aud == expected) {
        return Ok(());
    }
    Err(ClaimError::Audience {
        expected: expected.to_owned(),
        found: aud.to_vec(),
    })
}

/// That `claim`, when it was made, is not later than now.
pub(crate) fn require_past(
    claim: &'static str,
    at: UnixTime,
    now: UnixTime,
) -> Result<(), ClaimError> {
    if at.0 > now.0.saturating_add(SKEW_SECS) {
        return Err(ClaimError::Future { claim, at, now });
    }
    Ok(())
}

/// That `exp` is not past by more than the skew.
pub(crate) fn require_unexpired(exp: UnixTime, now: UnixTime) -> Result<(), ClaimError> {
    if now.0 >= exp.0.saturating_add(SKEW_SECS) {
        return Err(ClaimError::Expired { exp, now });
    }
    Ok(())
}

/// A claim that must be a non-empty string.
pub(crate) fn text(
    payload: &Map<String, Value>,
    claim: &'static str,
) -> Result<String, ClaimError> {
    match payload.get(claim) {
        None | Some(Value::Null) => Err(ClaimError::Missing { claim }),
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(ClaimError::Shape {
            claim,
            expected: "a non-empty string",
        }),
    }
}

/// `iss`, short enough to be kept.
fn iss(payload: &Map<String, Value>) -> Result<String, ClaimError> {
    let iss = text(payload, "iss")?;
    if iss.len() > MAX_ISS {
        return Err(ClaimError::Shape {
            claim: "iss",
            expected: "at most 2000 bytes long",
        });
    }
    Ok(iss)
}

/// `jti`, short enough to be kept.
pub(crate) fn jti(payload: &Map<String, Value>) -> Result<String, ClaimError> {
    let jti = text(payload, "jti")?;
    if jti.len() > MAX_JTI {
        return Err(ClaimError::Shape {
            claim: "jti",
            expected: "at most 256 bytes long",
        });
    }
    Ok(jti)
}

/// `aud` as a list; empty when absent.
pub(crate) fn audience(payload: &Map<String, Value>) -> Result<Vec<String>, ClaimError> {
    const SHAPE: ClaimError = ClaimError::Shape {
        claim: "aud",
        expected: "a string or an array of strings",
    };
    match payload.get("aud") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => several
            .iter()
            .map(|aud| aud.as_str().map(str::to_owned).ok_or(SHAPE))
            .collect(),
        Some(_) => Err(SHAPE),
    }
}

/// Dates up to the year 9999: what lies beyond is a mistake (milliseconds, mostly).
const LATEST_DATE: i64 = 253_402_300_799;

/// A claim that must be a date.
pub(crate) fn date(
    payload: &Map<String, Value>,
    claim: &'static str,
) -> Result<UnixTime, ClaimError> {
    let shape = ClaimError::Shape {
        claim,
        expected: "a number of seconds since 1970 (before the year 10000)",
    };
    let secs = match payload.get(claim) {
        None | Some(Value::Null) => return Err(ClaimError::Missing { claim }),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the range is checked; fractions are cut off"
            )]
            (None, Some(fraction)) if (0.0..=253_402_300_799.0).contains(&fraction) => {
                fraction as i64
            }
            _ => return Err(shape),
        },
        Some(_) => return Err(shape),
    };
    if (0..=LATEST_DATE).contains(&secs) {
        Ok(UnixTime(secs))
    } else {
        Err(shape)
    }
}

/// The hint for a URI that is none of a certificate's names but nearly one of them.
pub(crate) fn nearest_name(names: &[String], wanted: &str) -> Option<String> {
    let how = names.iter().find_map(|name| near_miss(name, wanted))?;
    Some(format!(
        "one of the names differs only {how}; URIs are compared byte for byte"
    ))
}

/// In a few words, how two URIs that should be equal differ, when they nearly are.
#[must_use]
pub fn near_miss(expected: &str, found: &str) -> Option<&'static str> {
    if expected == found {
        return None;
    }
    let bare = |uri: &str| uri.split('#').next().unwrap_or_default().to_owned();
    let portless = |uri: &str| uri.replacen(":443", "", 1);
    if expected.trim() == found.trim() {
        Some("in a blank")
    } else if expected.trim_end_matches('/') == found.trim_end_matches('/') {
        Some("in a trailing slash")
    } else if expected.eq_ignore_ascii_case(found) {
        Some("in upper and lower case")
    } else if portless(expected) == portless(found) {
        Some("in the default port, which one of them writes out")
    } else if bare(expected) == bare(found) {
        Some("in what follows the `#`")
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Claims, ClaimError> {
        let Value::Object(mut map) =
            json!({"iss":"a","sub":"a","aud":"x","iat":1000,"exp":1300,"jti":"j"})
        else {
            unreachable!()
        };
        change(&mut map);
        Claims::read(&map)
    }

    #[test]
    fn each_claim_is_demanded_and_its_type_checked() {
        for claim in ["iss", "sub", "exp", "iat", "jti"] {
            let missing = claims(|m| {
                m.remove(claim);
            });
            assert_eq!(missing.unwrap_err().code(), "claim-missing", "{claim}");
            let wrong = claims(|m| {
                m.insert(claim.into(), json!(["no"]));
            });
            assert_eq!(wrong.unwrap_err().code(), "claim-malformed", "{claim}");
        }
        for (len, fits) in [(MAX_ISS, true), (MAX_ISS + 1, false)] {
            let long = claims(|m| {
                m.insert("iss".into(), json!("a".repeat(len)));
            });
            assert_eq!(long.is_ok(), fits, "{len}");
        }
        for date in [
            json!("1300"),
            json!(-1),
            json!(1.0e20),
            json!(1_700_000_000_000_i64),
        ] {
            let result = claims(|m| {
                m.insert("exp".into(), date.clone());
            });
            assert_eq!(result.unwrap_err().code(), "claim-malformed", "{date}");
        }
        assert_eq!(
            claims(|m| {
                m.insert("exp".into(), json!(1300.9));
            })
            .unwrap()
            .exp,
            UnixTime(1300)
        );
    }

    #[test]
    fn aud_may_be_one_or_several() {
        let several = claims(|m| {
            m.insert("aud".into(), json!(["y", "x"]));
        })
        .unwrap();
        assert_eq!(several.require_audience("x"), Ok(()));
        assert_eq!(
            several.require_audience("z").unwrap_err().code(),
            "aud-mismatch"
        );
        let none = claims(|m| {
            m.remove("aud");
        })
        .unwrap();
        assert_eq!(
            none.require_audience("x"),
            Err(ClaimError::Missing { claim: "aud" })
        );
    }

    #[test]
    fn lifetime_has_no_leeway_and_the_clock_has_thirty_seconds() {
        let at = |iat: i64, exp: i64, now: i64| {
            claims(|m| {
                m.insert("iat".into(), json!(iat));
                m.insert("exp".into(), json!(exp));
            })
            .unwrap()
            .require_in_force(UnixTime(now), MAX_LIFETIME_SECS)
            .map_err(|e| e.code())
        };
        assert_eq!(at(1000, 1300, 1000), Ok(()));
        assert_eq!(at(1000, 1301, 1000), Err("jwt-lifetime"));
        assert_eq!(at(1000, 1300, 1329), Ok(()));
        assert_eq!(at(1000, 1300, 1330), Err("jwt-expired"));
        assert_eq!(at(1000, 1300, 970), Ok(()));
        assert_eq!(at(1000, 1300, 969), Err("jwt-from-the-future"));
        assert_eq!(at(1000, 1000, 1000), Err("exp-before-iat"));
    }

    #[test]
    fn near_misses_are_named() {
        let e = "https://a.example/fhir";
        assert_eq!(
            near_miss(e, "https://a.example/fhir/"),
            Some("in a trailing slash")
        );
        assert_eq!(
            near_miss(e, "https://A.example/fhir"),
            Some("in upper and lower case")
        );
        assert_eq!(
            near_miss(e, "https://a.example:443/fhir"),
            Some("in the default port, which one of them writes out")
        );
        assert_eq!(
            near_miss(e, "https://a.example/fhir#T-IAS"),
            Some("in what follows the `#`")
        );
        assert_eq!(near_miss(e, "https://a.example/fhir "), Some("in a blank"));
        assert_eq!(near_miss(e, "https://b.example/fhir"), None);
    }
}
