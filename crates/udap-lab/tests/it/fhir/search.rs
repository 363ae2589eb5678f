//! Each search parameter, by what it finds.

use axum::body::Body;
use http::{Method, StatusCode};

use super::{BASE, ask, get, get_with, ids, link, request, search};

const SHAWS: [&str; 3] = ["amelia-shaw", "bernard-shaw", "clementine-shaw"];
const SHAWS_AND_SHAWCROSS: [&str; 4] = [
    "amelia-shaw",
    "bernard-shaw",
    "clementine-shaw",
    "walter-shawcross",
];

/// Searches patients, and expects these, in this order.
async fn patients(parameters: &str, expected: &[&str]) {
    let bundle = search(&format!("/Patient?{parameters}")).await;
    assert_eq!(ids(&bundle), expected, "{parameters}");
    assert_eq!(bundle["total"], expected.len(), "{parameters}");
}

#[tokio::test]
async fn strings_match_the_beginning_without_case_or_accents() {
    patients("family=Shaw", &SHAWS_AND_SHAWCROSS).await;
    patients("family=shaw", &SHAWS_AND_SHAWCROSS).await;
    patients("family:exact=Shaw", &SHAWS).await;
    patients("family:exact=shaw", &[]).await;
    patients("family:contains=CROSS", &["walter-shawcross"]).await;
    patients("family=nunez", &["joaquin-nunez", "valentina-nunez"]).await;
    patients(
        "family=N%C3%BA%C3%B1ez",
        &["joaquin-nunez", "valentina-nunez"],
    )
    .await;
    patients("given=elowen", &["tamsin-penrose"]).await;
    patients("name=shawc", &["walter-shawcross"]).await;
    patients("name=van+h", &["zoe-van-houten"]).await;
    patients("name=Nobody", &[]).await;
}

#[tokio::test]
async fn values_are_alternatives_and_parameters_are_all_required() {
    patients("family=Shaw&given=Amelia", &["amelia-shaw"]).await;
    patients("family=Shaw&family=Shawcross", &["walter-shawcross"]).await;
    patients("given=Amelia,Bernard", &["amelia-shaw", "bernard-shaw"]).await;
    patients(r"given=Amelia\,Bernard", &[]).await;
    patients(
        "family=Shaw&gender=male,other",
        &["bernard-shaw", "walter-shawcross"],
    )
    .await;
}

#[tokio::test]
async fn tokens_match_by_system_and_code() {
    const MRN: &str = "https://fhir.example.org/identifiers/mrn";
    patients("_id=amelia-shaw", &["amelia-shaw"]).await;
    patients(
        "_id=amelia-shaw,bernard-shaw",
        &["amelia-shaw", "bernard-shaw"],
    )
    .await;
    patients("_id=amelia", &[]).await;
    patients("identifier=MRN-0001", &["amelia-shaw"]).await;
    patients(&format!("identifier={MRN}|MRN-0002"), &["bernard-shaw"]).await;
    patients(&format!("identifier={MRN}%7CMRN-0002"), &["bernard-shaw"]).await;
    patients(&format!("identifier={MRN}|mrn-0002"), &[]).await;
    patients("identifier=https://elsewhere.example.org|MRN-0002", &[]).await;
    patients("identifier=|MRN-0002", &[]).await;
    patients(
        &format!("identifier={MRN}|&family=Shaw"),
        &SHAWS_AND_SHAWCROSS,
    )
    .await;
    patients("gender=other", &["quinn-lockridge"]).await;
    patients(
        "gender=http://hl7.org/fhir/administrative-gender|unknown",
        &["juniper-hollowell"],
    )
    .await;
    patients(
        "gender:not=female&family=Shaw",
        &["bernard-shaw", "walter-shawcross"],
    )
    .await;
    patients("gender:missing=true", &[]).await;
    patients("gender:missing=false&family:exact=Shaw", &SHAWS).await;
}

#[tokio::test]
async fn dates_match_by_precision_and_prefix() {
    patients("birthdate=1987-02-20", &["amelia-shaw"]).await;
    patients("birthdate=1987", &["amelia-shaw"]).await;
    patients(
        "birthdate=lt1940",
        &["leopold-grunwald", "henrietta-fairweather"],
    )
    .await;
    patients("birthdate=ge2018", &["silas-hartwell", "juniper-hollowell"]).await;
    patients(
        "birthdate=ge1987-02-20&birthdate=le1987-02-20",
        &["amelia-shaw"],
    )
    .await;
    patients("_lastUpdated=gt2027&_id=amelia-shaw", &[]).await;
    patients("_lastUpdated=2026-11-02&_id=amelia-shaw", &["amelia-shaw"]).await;
}

#[tokio::test]
async fn references_match_in_each_of_their_forms() {
    let observations = "amelia-shaw-blood-pressure amelia-shaw-heart-rate amelia-shaw-body-temperature \
                        amelia-shaw-hemoglobin amelia-shaw-glucose amelia-shaw-creatinine";
    let expected: Vec<&str> = observations.split_whitespace().collect();
    for parameter in ["patient", "subject", "subject:Patient"] {
        for value in [
            "amelia-shaw",
            "Patient/amelia-shaw",
            &format!("{BASE}/Patient/amelia-shaw"),
        ] {
            let bundle = search(&format!("/Observation?{parameter}={value}")).await;
            assert_eq!(ids(&bundle), expected, "{parameter}={value}");
        }
    }
    for value in [
        "https://elsewhere.example.org/fhir/Patient/amelia-shaw",
        "Group/amelia-shaw",
        "amelia",
        "/",
    ] {
        assert_eq!(
            search(&format!("/Observation?patient={value}")).await["total"],
            0,
            "{value}"
        );
    }
}

#[tokio::test]
async fn clinical_resources_are_found_by_what_they_say() {
    let found = async |address: &str, expected: &[&str]| {
        assert_eq!(ids(&search(address).await), expected, "{address}")
    };
    let laboratory = [
        "amelia-shaw-hemoglobin",
        "amelia-shaw-glucose",
        "amelia-shaw-creatinine",
    ];
    found(
        "/Observation?patient=amelia-shaw&category=laboratory",
        &laboratory,
    )
    .await;
    found(
        "/Observation?patient=amelia-shaw&code=http://loinc.org|8867-4",
        &["amelia-shaw-heart-rate"],
    )
    .await;
    found(
        "/Observation?patient=amelia-shaw&code=718-7,2345-7",
        &laboratory[..2],
    )
    .await;
    found("/Observation?patient=amelia-shaw&date=gt2026-01-01", &[]).await;
    found(
        "/Observation?patient=amelia-shaw&code=718-7&date=2026-01-01",
        &laboratory[..1],
    )
    .await;
    found("/Observation?patient=amelia-shaw&status=preliminary", &[]).await;
    found(
        "/Condition?patient=amelia-shaw",
        &["amelia-shaw-hypertension"],
    )
    .await;
    found(
        "/Condition?subject=amelia-shaw&code=http://hl7.org/fhir/sid/icd-10-cm|I10",
        &["amelia-shaw-hypertension"],
    )
    .await;
    found(
        "/Condition?patient=amelia-shaw&clinical-status=resolved",
        &[],
    )
    .await;
    found("/Condition?patient=bernard-shaw", &[]).await;
    found("/Organization?name=millbrook", &["millbrook-general"]).await;
    found("/Practitioner?family=okonjo", &["dr-tobias-okonjo"]).await;
    found("/Practitioner?identifier=PR-003", &["dr-mei-tanaka"]).await;
}

#[tokio::test]
async fn a_posted_search_and_its_address_count_as_one() {
    let form = request(Method::POST, "/Patient/_search?gender=female")
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .body(Body::from("family%3Aexact=Shaw&_count=1"))
        .unwrap();
    let answer = ask(form).await;
    assert_eq!(answer.status, StatusCode::OK);
    let bundle = answer.json();
    assert_eq!(
        (bundle["total"].as_u64(), ids(&bundle)),
        (Some(2), vec!["amelia-shaw"])
    );
    // Its links are those of a search by GET.
    let next = search(link(&bundle, "next").unwrap()).await;
    assert_eq!(ids(&next), ["clementine-shaw"]);
}

#[tokio::test]
async fn what_is_not_known_is_ignored_and_not_in_the_self_link() {
    let bundle = search("/Patient?family=Shaw&shoe-size=44&_sort=family&given=&_summary=text&general-practitioner.name=x").await;
    assert_eq!(ids(&bundle), SHAWS_AND_SHAWCROSS);
    assert_eq!(
        link(&bundle, "self").unwrap(),
        format!("{BASE}/Patient?family=Shaw")
    );
    let bundle = search("/Patient?identifier=a|b%22c").await;
    assert_eq!(
        link(&bundle, "self").unwrap(),
        format!("{BASE}/Patient?identifier=a%7Cb%22c")
    );
}

#[tokio::test]
async fn the_number_of_matches_alone() {
    for parameters in ["_summary=count", "_count=0"] {
        let bundle = search(&format!("/Patient?family=Shaw&{parameters}")).await;
        assert_eq!(bundle["total"], 4);
        assert!(bundle.get("entry").is_none());
        assert_eq!(
            link(&bundle, "self").unwrap(),
            format!("{BASE}/Patient?family=Shaw&{parameters}")
        );
    }
    let bundle = search("/Patient?family=Shaw&_total=none").await;
    assert_eq!((bundle.get("total"), ids(&bundle).len()), (None, 4));
    for total in ["accurate", "estimate"] {
        assert_eq!(
            search(&format!("/Patient?family=Shaw&_total={total}")).await["total"],
            4
        );
    }
}

#[tokio::test]
async fn every_entry_has_its_address_and_says_why_it_is_there() {
    let bundle = search("/Patient?family:exact=Shaw").await;
    for entry in bundle["entry"].as_array().unwrap() {
        assert_eq!(entry["search"]["mode"], "match");
        assert_eq!(
            get(entry["fullUrl"].as_str().unwrap()).await.json(),
            entry["resource"]
        );
    }
}

#[tokio::test]
async fn what_a_proxy_says_about_the_address_changes_nothing() {
    for (header, value) in [
        ("host", "fhir.example.org"),
        ("forwarded", "host=fhir.example.org;proto=https"),
        ("x-forwarded-host", "fhir.example.org"),
    ] {
        let bundle = get_with("/Patient?family=Shaw", header, value).await.json();
        assert!(
            !bundle
                .to_string()
                .contains("https://fhir.example.org/Patient"),
            "{header}"
        );
        assert_eq!(
            link(&bundle, "self").unwrap(),
            format!("{BASE}/Patient?family=Shaw")
        );
    }
}
