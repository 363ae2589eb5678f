//! `search`: by family name, then through every page of all patients, at the gateway's address.

use serde_json::{Value, json};

use super::{Failure, Told, World, told};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let base_url = world.layout.data_holder_url();
    let mut found = None;
    if let Some(family) = &world.family {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("family", family)
            .finish();
        let bundle = world.read(&format!("{base_url}/Patient?{query}")).await?;
        let count = entries(&bundle).len();
        if count == 0 {
            return Err(Failure::new(format!(
                "nobody was found by the name {family}"
            )));
        }
        found = Some((family.clone(), count));
    }

    let mut next = Some(format!("{base_url}/Patient?_count={PAGE}"));
    let (mut pages, mut patients) = (0, 0);
    while let Some(url) = next {
        if pages == MAX_PAGES {
            break;
        }
        let bundle = world.read(&url).await?;
        pages += 1;
        patients += entries(&bundle).len();
        next = link(&bundle, "next");
    }
    let by_name = found
        .as_ref()
        .map(|(family, count)| format!("{count} by the name {family}, "));
    told(
        format!(
            "{}{patients} patients on {pages} pages",
            by_name.unwrap_or_default()
        ),
        json!({
            "family": found.as_ref().map(|(family, _)| family),
            "found": found.as_ref().map(|(_, count)| count),
            "patients": patients,
            "pages": pages,
        }),
    )
}

fn entries(bundle: &Value) -> &[Value] {
    bundle["entry"].as_array().map_or(&[], Vec::as_slice)
}

fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == relation)?;
    link["url"].as_str().map(str::to_owned)
}

const PAGE: usize = 15;
/// A FHIR server that somebody brought may have millions of patients.
const MAX_PAGES: usize = 20;
