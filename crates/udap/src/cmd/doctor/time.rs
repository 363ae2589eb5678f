//! Our clock beside those of others: JWTs live five minutes, and clocks may differ by half a minute.

use super::report::Report;
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use udap_pki::{Certificate, UnixTime};
use udap_proto::claims::SKEW_SECS;
use udap_trust::clock;
use udap_trust::fetch::{Fetcher, Kind};
use url::Url;

/// Most communities publish at one host; whoever is behind many is asked at some.
const MAX_HOSTS: usize = 4;

/// The clock of a server that is not ours, by its answer.
pub(super) fn of_server(headers: &HeaderMap, now: UnixTime, report: &mut Report) {
    match apart(headers, now) {
        None => report.unknown("clock", "the server does not say what time it is"),
        Some(apart) => judge(apart, in_words(apart), report),
    }
}

/// The clock of this machine. Its own server would say the same as it, so that those are asked who publish what its
/// certificates name: the issuer's certificate, CRLs, OCSP. Nothing but the time is taken from their answers.
pub(super) async fn of_this_host(
    chain: &[Certificate],
    own: &[String],
    fetcher: &Fetcher,
    report: &mut Report,
) {
    let mut compared = Vec::new();
    for (host, url) in publishers(chain, own) {
        let answer = fetcher.send(
            Kind::Issuer,
            Method::HEAD,
            &url,
            HeaderMap::new(),
            Bytes::new(),
        );
        // Whether it publishes is found where that is needed; an error page tells the time as well.
        if let Ok(answer) = answer.await
            && let Some(apart) = apart(answer.headers(), clock::now())
        {
            compared.push((host, apart));
        }
    }
    let Some(apart) = middle(compared.iter().map(|(_, apart)| *apart).collect()) else {
        let text = "not compared: nobody who publishes for its communities says what time it is";
        return report.unknown("clock", text);
    };
    let each = compared.iter();
    let each = each.map(|(host, apart)| format!("{host} is {}", in_words(*apart)));
    judge(apart, each.collect::<Vec<_>>().join(", "), report);
}

/// One URL of each host that these certificates name, but for those of this very server.
fn publishers(chain: &[Certificate], own: &[String]) -> Vec<(String, String)> {
    let mut hosts: Vec<(String, String)> = Vec::new();
    let urls = chain.iter().flat_map(|certificate| {
        let urls = certificate.ca_issuer_urls().iter();
        urls.chain(certificate.crl_urls())
            .chain(certificate.ocsp_urls())
    });
    for url in urls {
        let Some(host) = host_of(url) else { continue };
        let new = !own.contains(&host) && hosts.iter().all(|(known, _)| *known != host);
        if new && hosts.len() < MAX_HOSTS {
            hosts.push((host, url.clone()));
        }
    }
    hosts
}

/// `host:port` of a URL.
pub(super) fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!(
        "{}:{}",
        url.host_str()?,
        url.port_or_known_default()?
    ))
}

/// How many seconds another clock is ahead of ours.
fn apart(headers: &HeaderMap, now: UnixTime) -> Option<i64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    let date = date
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // A cache repeats when the answer was made, and says how long ago that was (RFC 9111 §5.1).
    let age: u64 = text(header::AGE).map_or(0, |age| age.trim().parse().unwrap_or(0));
    let theirs = i64::try_from(date.saturating_add(age)).unwrap_or(i64::MAX);
    Some(theirs.saturating_sub(now.0))
}

/// One clock among others may be the wrong one, so the middle counts; of two, the one that agrees with ours.
fn middle(mut apart: Vec<i64>) -> Option<i64> {
    apart.sort_unstable();
    let upper = apart.len() / 2;
    let lower = apart.len().checked_sub(1)? / 2;
    [lower, upper]
        .into_iter()
        .filter_map(|at| apart.get(at).copied())
        .min_by_key(|apart| apart.saturating_abs())
}

fn judge(apart: i64, text: String, report: &mut Report) {
    if apart.saturating_abs() > SKEW_SECS {
        report.failed("clock", "clock-off", text);
    } else {
        report.well("clock", text);
    }
}

fn in_words(apart: i64) -> String {
    match apart {
        0 => "the same as ours".to_owned(),
        1.. => format!("{apart} s ahead of ours"),
        _ => format!("{} s behind ours", apart.saturating_neg()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NOW: UnixTime = UnixTime(784_111_777);

    #[test]
    fn a_clock_may_be_half_a_minute_off() {
        for (secs, well) in [
            (0, true),
            (30, true),
            (-30, true),
            (31, false),
            (-31, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, HeaderValue::from_static(DATE));
            let mut report = Report::default();
            of_server(&headers, NOW.plus_secs(secs), &mut report);
            assert_eq!(report.is_well(), well, "{secs}: {}", report.to_text());
            assert_eq!(report.to_text().contains("[clock-off]"), !well);
        }
        let mut report = Report::default();
        of_server(&HeaderMap::new(), NOW, &mut report);
        assert!(report.is_well() && report.to_text().starts_with('–'));
    }

    #[test]
    fn an_answer_from_a_cache_is_as_old_as_it_says() {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static(DATE));
        headers.insert(header::AGE, HeaderValue::from_static("600"));
        assert_eq!(apart(&headers, NOW.plus_secs(600)), Some(0));
        headers.insert(header::AGE, HeaderValue::from_static("old"));
        assert_eq!(apart(&headers, NOW.plus_secs(600)), Some(-600));
    }

    #[test]
    fn of_several_clocks_the_middle_one_counts() {
        for (all, expected) in [
            (vec![], None),
            (vec![3600], Some(3600)),
            (vec![3600, 1], Some(1)),
            (vec![3600, -1], Some(-1)),
            (vec![3600, 1, 3601], Some(3600)),
            (vec![-3600, 0, 2, 3600], Some(0)),
            (vec![3600, 3601, 3602, 0], Some(3600)),
        ] {
            assert_eq!(middle(all.clone()), expected, "{all:?}");
        }
    }
}
