//! FHIR dates as what they are: intervals, as long as their precision
//! (<https://hl7.org/fhir/R4/search.html#date>).

/// From the first second, to the first second that is past it; Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    from: i64,
    until: i64,
}

impl Interval {
    /// `2026`, `2026-11`, `2026-11-24`, or a time of day after it (`T16:00`, `T16:00:05`, fractions cut off) with
    /// `Z`, an offset, or nothing, which is read as UTC.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text
            .split_once('T')
            .map_or((text, None), |(date, time)| (date, Some(time)));
        let mut parts = date.split('-');
        let year = number(parts.next()?, 4, 1, 9999)?;
        let month = parts
            .next()
            .map(|month| number(month, 2, 1, 12).ok_or(()))
            .transpose()
            .ok()?;
        let day = parts
            .next()
            .map(|day| number(day, 2, 1, 31).ok_or(()))
            .transpose()
            .ok()?;
        if parts.next().is_some() {
            return None;
        }
        let (from, until) = match (month, day) {
            (None, _) => (days(year, 1, 1), days(year + 1, 1, 1)),
            (Some(12), None) => (days(year, 12, 1), days(year + 1, 1, 1)),
            (Some(month), None) => (days(year, month, 1), days(year, month + 1, 1)),
            (Some(month), Some(day)) if day <= days_in(year, month) => {
                let first = days(year, month, day);
                (first, first + 1)
            }
            (Some(_), Some(_)) => return None,
        };
        let (from, until) = (from * DAY, until * DAY);
        match (time, day) {
            (None, _) => Some(Self { from, until }),
            (Some(time), Some(_)) => {
                let (offset, length) = time_of_day(time)?;
                Some(Self {
                    from: from + offset,
                    until: from + offset + length,
                })
            }
            (Some(_), None) => None,
        }
    }
}

/// How a search compares: the prefix in front of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

impl Comparison {
    /// The prefix of a value, and the rest of it.
    pub(super) fn split(value: &str) -> (Self, &str) {
        PREFIXES
            .iter()
            .find_map(|&(prefix, comparison)| Some((comparison, value.strip_prefix(prefix)?)))
            .unwrap_or((Self::Equal, value))
    }

    /// Whether a resource's value is what the search asks for.
    pub(super) fn holds(self, resource: Interval, asked: Interval) -> bool {
        let within = asked.from <= resource.from && resource.until <= asked.until;
        match self {
            Self::Equal => within,
            Self::NotEqual => !within,
            Self::Greater => resource.until > asked.until,
            Self::Less => resource.from < asked.from,
            Self::GreaterOrEqual => within || resource.until > asked.until,
            Self::LessOrEqual => within || resource.from < asked.from,
            Self::StartsAfter => resource.from >= asked.until,
            Self::EndsBefore => resource.until <= asked.from,
            Self::Approximately => resource.from < asked.until && asked.from < resource.until,
        }
    }
}

const PREFIXES: [(&str, Comparison); 9] = [
    ("eq", Comparison::Equal),
    ("ne", Comparison::NotEqual),
    ("gt", Comparison::Greater),
    ("lt", Comparison::Less),
    ("ge", Comparison::GreaterOrEqual),
    ("le", Comparison::LessOrEqual),
    ("sa", Comparison::StartsAfter),
    ("eb", Comparison::EndsBefore),
    ("ap", Comparison::Approximately),
];

/// Seconds from midnight UTC, and how long the given precision lasts.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else if let Some(sign) = text.rfind(['+', '-']) {
        let (hours, minutes) = text[sign + 1..].split_once(':')?;
        let seconds = number(hours, 2, 0, 14)? * 3600 + number(minutes, 2, 0, 59)? * 60;
        (
            &text[..sign],
            if text[sign..].starts_with('-') {
                -seconds
            } else {
                seconds
            },
        )
    } else {
        (text, 0)
    };
    let mut parts = clock.splitn(3, ':');
    let minutes = number(parts.next()?, 2, 0, 23)? * 60 + number(parts.next()?, 2, 0, 59)?;
    let Some(seconds) = parts.next() else {
        return Some((minutes * 60 - offset, 60));
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((minutes * 60 + number(whole, 2, 0, 60)? - offset, 1))
}

fn number(text: &str, digits: usize, least: i64, most: i64) -> Option<i64> {
    let all_digits = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let value = all_digits.then(|| text.parse().ok())??;
    (least..=most).contains(&value).then_some(value)
}

fn days_in(year: i64, month: i64) -> i64 {
    if month == 12 {
        31
    } else {
        days(year, month + 1, 1) - days(year, month, 1)
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, which begins its year in March so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - DAYS_TO_1970
}

const DAY: i64 = 86_400;
/// From the first of March of the year 0.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn precision_is_the_length_of_the_interval() {
        let parse = |text| Interval::parse(text).unwrap();
        assert_eq!(
            parse("1970-01-01"),
            Interval {
                from: 0,
                until: DAY
            }
        );
        assert_eq!(
            parse("2024-02"),
            Interval {
                from: 1_706_745_600,
                until: 1_706_745_600 + 29 * DAY
            }
        );
        assert_eq!(
            parse("2026"),
            Interval {
                from: 1_767_225_600,
                until: 1_767_225_600 + 365 * DAY
            }
        );
        assert_eq!(
            parse("2026-11-24T16:00Z"),
            Interval {
                from: 1_795_536_000,
                until: 1_795_536_060
            }
        );
        assert_eq!(
            parse("2026-11-24T18:00:00.250+02:00"),
            Interval {
                from: 1_795_536_000,
                until: 1_795_536_001
            }
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26",
            "2026-13",
            "2026-02-29",
            "2026-1-1",
            "2026-11-24T",
            "2026-11T10:00",
            "2026-11-24T25:00Z",
            "2026-11-24T10:00:00.Z",
            "2026-11-24-1",
            "yesterday",
            "２０２６",
        ] {
            assert_eq!(Interval::parse(text), None, "{text}");
        }
    }

    #[test]
    fn comparisons_follow_the_precision() {
        let day = Interval::parse("1987-02-20").unwrap();
        let holds = |value: &str| {
            let (comparison, rest) = Comparison::split(value);
            comparison.holds(day, Interval::parse(rest).unwrap())
        };
        for value in [
            "1987",
            "eq1987-02",
            "1987-02-20",
            "ge1987-02-20",
            "le1987-02-20",
            "gt1986",
            "lt1988",
            "sa1986",
            "eb1988",
            "ne1988",
            "ap1987",
        ] {
            assert!(holds(value), "{value}");
        }
        for value in [
            "1988",
            "ne1987",
            "gt1987-02-20",
            "lt1987-02-20",
            "sa1987",
            "eb1987",
            "ap1988",
        ] {
            assert!(!holds(value), "{value}");
        }
    }
}
