//! Following the links of a search.

use super::{BASE, ids, link, search};

#[tokio::test]
async fn next_leads_to_the_end_and_previous_back() {
    let (mut seen, mut pages) = (Vec::new(), 0);
    let mut bundle = search("/Patient?_count=7").await;
    assert_eq!(
        (bundle["total"].as_u64(), link(&bundle, "previous")),
        (Some(40), None)
    );
    let first = bundle.clone();
    loop {
        pages += 1;
        seen.extend(ids(&bundle).into_iter().map(str::to_owned));
        assert_eq!(link(&bundle, "first"), link(&first, "self"));
        let Some(next) = link(&bundle, "next") else {
            break;
        };
        assert!(next.starts_with(&format!("{BASE}/Patient?")), "{next}");
        bundle = search(next).await;
    }
    assert_eq!((pages, seen.len(), ids(&bundle).len()), (6, 40, 5));
    assert_eq!(link(&bundle, "self"), link(&first, "last"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 40);

    while let Some(previous) = link(&bundle, "previous") {
        bundle = search(previous).await;
        pages -= 1;
    }
    assert_eq!((pages, bundle), (1, first));
}

#[tokio::test]
async fn one_page_needs_no_other_links() {
    let bundle = search("/Patient?family=Shaw").await;
    assert_eq!(bundle["link"].as_array().unwrap().len(), 1);
    let bundle = search("/Patient?family=Nobody").await;
    assert_eq!(
        (
            bundle["link"].as_array().unwrap().len(),
            bundle.get("entry")
        ),
        (1, None)
    );
    // As many as fit: the end is not beyond a page without entries.
    let bundle = search("/Patient?family=Shaw&_count=2").await;
    let last = search(link(&bundle, "last").unwrap()).await;
    assert_eq!((ids(&last).len(), link(&last, "next")), (2, None));
}

#[tokio::test]
async fn a_page_has_a_size_also_when_none_or_too_much_is_asked_for() {
    assert_eq!(ids(&search("/Patient").await).len(), 20);
    let bundle = search("/Observation?_count=100000").await;
    assert_eq!(
        (bundle["total"].as_u64(), ids(&bundle).len()),
        (Some(240), 100)
    );
}

#[tokio::test]
async fn a_page_beyond_the_end_is_empty_and_knows_the_way_back() {
    let bundle = search(&format!("/Patient?_count=10&_offset={}", usize::MAX)).await;
    assert_eq!((ids(&bundle).len(), link(&bundle, "next")), (0, None));
    let previous = search(link(&bundle, "previous").unwrap()).await;
    assert_eq!(ids(&previous).len(), 10);
}
