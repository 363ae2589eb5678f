//! The FHIR server's address never shows, and its links work at the gateway's.

use crate::kit::{Answer, FakeFhir, Kit, answer, fhir_json};
use serde_json::json;

/// Three pages of a search, as a FHIR server writes them.
fn pages(fhir: &FakeFhir) {
    let base = fhir.base();
    fhir.answers(move |seen| {
        let query = seen.uri.query().unwrap_or_default();
        let page: usize = query.split('&').find_map(|p| p.strip_prefix("_page=")).map_or(1, |p| p.parse().unwrap());
        let mut links = vec![json!({"relation": "self", "url": format!("{base}/Patient?{query}")})];
        if page < 3 {
            links.push(json!({"relation": "next", "url": format!("{base}/Patient?name=a%20b&_count=1&_page={}", page + 1)}));
        }
        let bundle = json!({
            "resourceType": "Bundle", "type": "searchset", "total": 3, "link": links,
            "entry": [{"fullUrl": format!("{base}/Patient/{page}"),
                       "resource": {"resourceType": "Patient", "id": page.to_string()}}],
        });
        fhir_json(bundle.to_string())
    });
}

#[tokio::test]
async fn a_search_is_paged_to_its_end_at_the_gateways_address() {
    let kit = Kit::new().await;
    pages(&kit.fhir);
    let mut next = Some("https://gw.example/r4/Patient?name=a+b&_count=1".to_owned());
    let mut found = Vec::new();
    while let Some(url) = next {
        let answer = kit.get(&url, "system/Patient.s").await;
        assert_eq!(answer.status, 200, "{url}");
        assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
        let bundle = answer.json();
        found.push(bundle["entry"][0]["fullUrl"].as_str().unwrap().to_owned());
        next = bundle["link"]
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["relation"] == "next")
            .map(|l| {
                let url = l["url"].as_str().unwrap();
                assert!(url.starts_with("https://gw.example/r4/Patient?"), "{url}");
                url.to_owned()
            });
    }
    assert_eq!(
        found,
        ["1", "2", "3"].map(|id| format!("https://gw.example/r4/Patient/{id}"))
    );
    assert_eq!(kit.fhir.count(), 3);
}

#[tokio::test]
async fn a_page_link_that_cannot_be_decided_is_refused_and_says_why() {
    let kit = Kit::new().await;
    let base = kit.fhir.base();
    kit.fhir.answers(move |_| {
        fhir_json(json!({"link": [{"relation": "next", "url": format!("{base}?_getpages=1&_getpagesoffset=20")}]}).to_string())
    });
    let bundle = kit
        .get("/r4/Patient?name=x", "system/Patient.s")
        .await
        .json();
    let next = bundle["link"][0]["url"].as_str().unwrap();
    assert_eq!(next, "https://gw.example/r4?_getpages=1&_getpagesoffset=20");
    assert_eq!(
        kit.get(next, "system/*.cruds").await.refusal(),
        (403, "page-link-undecided".to_owned())
    );
}

#[tokio::test]
async fn addresses_in_text_headers_and_errors_are_replaced() {
    let kit = Kit::with(|config| {
        config.upstream_aliases = vec!["https://fhir.internal.example/r4".to_owned()]
    })
    .await;
    let base = kit.fhir.base();
    kit.fhir.answers(move |_| {
        let escaped = base.replace('/', "\\/");
        let text = format!(
            r#"{{"a":"{escaped}\/Patient\/1","b":"<a href=\"{base}/Patient/1\">","c":"see {base}.","d":"https://fhir.internal.example/r4/Patient/2"}}"#
        );
        let mut response = fhir_json(text);
        let headers = response.headers_mut();
        headers.insert("content-location", format!("{base}/Patient/1/_history/3").parse().unwrap());
        headers.insert("location", "/fhir/Patient/1".parse().unwrap());
        headers.insert("link", format!("<{base}/Patient?_page=2>; rel=next").parse().unwrap());
        response
    });
    let answer = kit.get("/r4/Patient/1", "system/*.rs").await;
    let json = answer.json();
    assert_eq!(json["a"], "https://gw.example/r4/Patient/1");
    assert_eq!(json["b"], "<a href=\"https://gw.example/r4/Patient/1\">");
    assert_eq!(json["c"], "see https://gw.example/r4.");
    assert_eq!(json["d"], "https://gw.example/r4/Patient/2");
    assert_eq!(
        answer.header("content-location"),
        "https://gw.example/r4/Patient/1/_history/3"
    );
    assert_eq!(answer.header("location"), "/r4/Patient/1");
    assert_eq!(
        answer.header("link"),
        "<https://gw.example/r4/Patient?_page=2>; rel=next"
    );
    assert!(!answer.text.contains("internal.example") && !answer.text.contains("127.0.0.1"));
}

#[tokio::test]
async fn xml_is_rewritten_by_the_same_rule() {
    let kit = Kit::new().await;
    let base = kit.fhir.base();
    kit.fhir.answers(move |_| {
        answer(
            200,
            "application/fhir+xml",
            format!(r#"<fullUrl value="{base}/Patient/1"/>"#),
        )
    });
    let answer = kit.get("/r4/Patient?_format=xml", "system/*.rs").await;
    assert_eq!(
        answer.text,
        r#"<fullUrl value="https://gw.example/r4/Patient/1"/>"#
    );
}

#[tokio::test]
async fn errors_of_the_fhir_server_show_no_address() {
    let kit = Kit::new().await;
    let base = kit.fhir.base();
    kit.fhir.answers(move |_| {
        let text = format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"diagnostics":"nothing at {base}/Patient/9"}}]}}"#);
        answer(404, "application/fhir+json", text)
    });
    let request = kit.request("GET", "/r4/Patient/9", "system/*.rs");
    let answer = Answer::of(kit.call(request).await).await;
    assert_eq!(
        answer.json()["issue"][0]["diagnostics"],
        "nothing at https://gw.example/r4/Patient/9"
    );
}
