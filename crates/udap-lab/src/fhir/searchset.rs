//! The Bundle that answers a search (<https://hl7.org/fhir/R4/bundle.html#searchset>).

use std::io::Write;

use super::parameter::Kind;
use super::query::{Extent, OFFSET, Query, Total};
use super::store::Entry;

/// Writes the Bundle around resources that are JSON already. Addresses are percent-encoded throughout, so nothing in
/// them needs an escape in JSON.
pub(super) fn searchset(base: &str, kind: Kind, query: &Query, matches: &[&Entry]) -> Vec<u8> {
    let mut bundle = Vec::with_capacity(8 * 1024);
    bundle.extend_from_slice(b"{\"resourceType\":\"Bundle\",\"type\":\"searchset\"");
    // Writing to memory does not fail.
    if query.total == Total::Given || query.extent == Extent::CountOnly {
        let _ = write!(bundle, ",\"total\":{}", matches.len());
    }
    bundle.extend_from_slice(b",\"link\":[");
    for (position, (relation, address)) in links(base, kind, query, matches.len())
        .into_iter()
        .enumerate()
    {
        let comma = if position == 0 { "" } else { "," };
        let _ = write!(
            bundle,
            "{comma}{{\"relation\":\"{relation}\",\"url\":\"{address}\"}}"
        );
    }
    bundle.push(b']');
    let page = page(query.extent, matches);
    // An empty list is not allowed in FHIR's JSON: the element is left out.
    for (position, entry) in page.iter().enumerate() {
        bundle.extend_from_slice(if position == 0 { b",\"entry\":[" } else { b"," });
        let _ = write!(
            bundle,
            "{{\"fullUrl\":\"{base}/{}/{}\",\"resource\":",
            kind.name(),
            entry.id
        );
        bundle.extend_from_slice(&entry.body);
        bundle.extend_from_slice(b",\"search\":{\"mode\":\"match\"}}");
    }
    if !page.is_empty() {
        bundle.push(b']');
    }
    bundle.push(b'}');
    bundle
}

fn page<'a, 'b>(extent: Extent, matches: &'a [&'b Entry]) -> &'a [&'b Entry] {
    match extent {
        Extent::CountOnly => &[],
        Extent::Page { count, offset } => {
            let from = offset.min(matches.len());
            &matches[from..matches.len().min(from.saturating_add(count))]
        }
    }
}

/// The self link says what was understood; the others are there when there is more than one page.
fn links(base: &str, kind: Kind, query: &Query, total: usize) -> Vec<(&'static str, String)> {
    let at = |offset: usize| {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.extend_pairs(&query.used);
        if offset > 0 {
            parameters.append_pair(OFFSET, &offset.to_string());
        }
        match parameters.finish().as_str() {
            "" => format!("{base}/{}", kind.name()),
            parameters => format!("{base}/{}?{parameters}", kind.name()),
        }
    };
    let Extent::Page { count, offset } = query.extent else {
        return vec![("self", at(0))];
    };
    let mut links = vec![("self", at(offset))];
    if total > count || offset > 0 {
        // The last page that begins at a whole number of pages from the first.
        let last = total.saturating_sub(1) / count * count;
        links.push(("first", at(0)));
        if offset > 0 {
            links.push(("previous", at(offset.min(total).saturating_sub(count))));
        }
        if offset.saturating_add(count) < total {
            links.push(("next", at(offset + count)));
        }
        links.push(("last", at(last)));
    }
    links
}
