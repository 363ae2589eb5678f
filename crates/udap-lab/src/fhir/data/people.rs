//! Who is there: two organizations, three practitioners, forty patients.

use serde_json::{Value, json};

use super::{IDENTIFIERS, id_from, meta};

pub(super) fn organizations() -> Vec<Value> {
    ORGANIZATIONS
        .iter()
        .map(|&(id, name, kind, kind_display, phone)| {
            json!({
                "resourceType": "Organization",
                "id": id,
                "meta": meta(),
                "identifier": [{"system": format!("{IDENTIFIERS}/organization"), "value": id}],
                "active": true,
                "type": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": kind, "display": kind_display,
                }]}],
                "name": name,
                "telecom": [{"system": "phone", "value": phone, "use": "work"}],
                "address": [{"line": ["1 Sample Square"], "city": "Millbrook", "state": "VT", "postalCode": "05999", "country": "US"}],
            })
        })
        .collect()
}

pub(super) fn practitioners() -> Vec<Value> {
    PRACTITIONERS
        .iter()
        .enumerate()
        .map(|(position, &(given, family, gender))| {
            let id = practitioner_id(position);
            json!({
                "resourceType": "Practitioner",
                "id": id,
                "meta": meta(),
                "identifier": [{"system": format!("{IDENTIFIERS}/practitioner"), "value": format!("PR-{:03}", position + 1)}],
                "active": true,
                "name": [{"use": "official", "text": format!("Dr. {given} {family}"), "family": family, "given": [given], "prefix": ["Dr."]}],
                "telecom": [{"system": "email", "value": format!("{id}@clinic.example.org"), "use": "work"}],
                "gender": gender,
            })
        })
        .collect()
}

pub(super) fn patients() -> Vec<Value> {
    PATIENTS
        .iter()
        .enumerate()
        .map(|(position, row)| patient(position, row))
        .collect()
}

/// One patient with the elements that US Core asks for (identifier, name, gender) and those it wants supported.
fn patient(position: usize, &(given, middle, family, gender, birth_date): &Row) -> Value {
    let id = id_from(&[given, family]);
    let number = position + 1;
    let (city, postal_code) = CITIES[position % CITIES.len()];
    let practitioner = position % PRACTITIONERS.len();
    let (doctor_given, doctor_family, _) = PRACTITIONERS[practitioner];
    let full_name = format!("{given} {middle} {family}");
    json!({
        "resourceType": "Patient",
        "id": id,
        "meta": meta(),
        "text": {"status": "generated", "div": format!(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">{full_name}, {gender}, born {birth_date}. An invented person.</div>"
        )},
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR", "display": "Medical Record Number",
                }]},
                "system": format!("{IDENTIFIERS}/mrn"),
                "value": format!("MRN-{number:04}"),
                "assigner": {"reference": format!("Organization/{HOSPITAL}"), "display": ORGANIZATIONS[0].1},
            },
            {
                "use": "secondary",
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB", "display": "Member Number",
                }]},
                "system": format!("{IDENTIFIERS}/member"),
                "value": format!("{}", 700_100 + number * 37),
                "assigner": {"reference": format!("Organization/{PLAN}"), "display": ORGANIZATIONS[1].1},
            },
        ],
        "active": true,
        "name": [
            {"use": "official", "text": full_name, "family": family, "given": [given, middle]},
            {"use": "usual", "given": [given]},
        ],
        "telecom": [
            {"system": "phone", "value": format!("555-01{number:02}"), "use": "home"},
            {"system": "email", "value": format!("{id}@example.com"), "use": "home"},
        ],
        "gender": gender,
        "birthDate": birth_date,
        "address": [{
            "use": "home", "type": "physical", "line": [format!("{} Example Lane", 3 + number * 7)],
            "city": city, "state": "VT", "postalCode": postal_code, "country": "US",
        }],
        "contact": [{
            "relationship": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "N", "display": "Next-of-Kin",
            }]}],
            "name": {"text": format!("The family of {given} {family}")},
            "telecom": [{"system": "phone", "value": format!("555-01{:02}", 99 - number)}],
        }],
        "communication": [{
            "language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US", "display": "English (United States)"}]},
            "preferred": true,
        }],
        "generalPractitioner": [{
            "reference": format!("Practitioner/{}", practitioner_id(practitioner)),
            "display": format!("Dr. {doctor_given} {doctor_family}"),
        }],
        "managingOrganization": {"reference": format!("Organization/{HOSPITAL}"), "display": ORGANIZATIONS[0].1},
    })
}

fn practitioner_id(position: usize) -> String {
    let (given, family, _) = PRACTITIONERS[position];
    id_from(&["dr", given, family])
}

const HOSPITAL: &str = ORGANIZATIONS[0].0;
const PLAN: &str = ORGANIZATIONS[1].0;

const ORGANIZATIONS: [(&str, &str, &str, &str, &str); 2] = [
    (
        "millbrook-general",
        "Millbrook General Hospital (sandbox)",
        "prov",
        "Healthcare Provider",
        "555-0150",
    ),
    (
        "green-ridge-plan",
        "Green Ridge Health Plan (sandbox)",
        "ins",
        "Insurance Company",
        "555-0151",
    ),
];

const PRACTITIONERS: [(&str, &str, &str); 3] = [
    ("Ingrid", "Halvorsen", "female"),
    ("Tobias", "Okonjo", "male"),
    ("Mei", "Tanaka", "female"),
];

const CITIES: [(&str, &str); 5] = [
    ("Millbrook", "05999"),
    ("Ashford Mills", "05998"),
    ("East Larkspur", "05997"),
    ("Quarry Hollow", "05996"),
    ("Saint Orrin", "05995"),
];

/// Given name, middle name, family name, gender, date of birth.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const PATIENTS: [Row; 40] = [
    ("Amelia",   "Rose",      "Shaw",       "female",  "1987-02-20"),
    ("Bernard",  "Elias",     "Shaw",       "male",    "1951-07-09"),
    ("Clementine", "June",    "Shaw",       "female",  "2014-11-30"),
    ("Darius",   "Cole",      "Abara",      "male",    "1979-04-02"),
    ("Edith",    "Marguerite", "Pemberly",  "female",  "1942-12-25"),
    ("Fergus",   "Alan",      "McTavern",   "male",    "1968-01-17"),
    ("Gwendolyn", "Faye",     "Oakhurst",   "female",  "1995-08-08"),
    ("Hiroshi",  "Ken",       "Tamagawa",   "male",    "1983-03-14"),
    ("Imogen",   "Pearl",     "Fairweather", "female", "2001-06-21"),
    ("Joaquín",  "Luis",      "Núñez",      "male",    "1974-10-05"),
    ("Katarina", "Vera",      "Novotná",    "female",  "1990-05-19"),
    ("Leopold",  "Otto",      "Grünwald",   "male",    "1936-09-01"),
    ("Mirabel",  "Ivy",       "Thistlewood", "female", "2009-02-28"),
    ("Nikhil",   "Arun",      "Varadkar",   "male",    "1999-12-31"),
    ("Ottilie",  "Hope",      "Brambleton", "female",  "1977-07-07"),
    ("Percival", "James",     "Winterbourne", "male",  "1963-11-11"),
    ("Quinn",    "Harper",    "Lockridge",  "other",   "1992-04-23"),
    ("Rosalind", "Claire",    "Abara",      "female",  "1981-09-12"),
    ("Silas",    "Boone",     "Hartwell",   "male",    "2018-01-06"),
    ("Tamsin",   "Elowen",    "Penrose",    "female",  "1970-06-15"),
    ("Ulysses",  "Grant",     "Merriweather", "male",  "1958-08-27"),
    ("Valentina", "Sofía",    "Núñez",      "female",  "2006-03-03"),
    ("Walter",   "Hugh",      "Shawcross",  "male",    "1949-05-30"),
    ("Xiomara",  "Luz",       "Castellan",  "female",  "1988-10-18"),
    ("Yusuf",    "Karim",     "Al-Darwish", "male",    "1985-01-29"),
    ("Zoë",      "Anneke",    "Van Houten", "female",  "1997-07-16"),
    ("Alasdair", "Rory",      "Kincraig",   "male",    "1972-02-11"),
    ("Beatrix",  "Nell",      "Applegarth", "female",  "2012-09-24"),
    ("Cormac",   "Finn",      "Delahunt",   "male",    "1966-12-03"),
    ("Delphine", "Aurore",    "Marchetti",  "female",  "1954-04-14"),
    ("Emeka",    "Tobi",      "Adeyinka",   "male",    "1993-11-07"),
    ("Freya",    "Sigrid",    "Lindqvist",  "female",  "1984-06-02"),
    ("Gideon",   "Amos",      "Stonebridge", "male",   "1947-10-20"),
    ("Henrietta", "Maud",     "Fairweather", "female", "1939-03-27"),
    ("Isidro",   "Paz",       "Castellan",  "male",    "1976-08-19"),
    ("Juniper",  "Wren",      "Hollowell",  "unknown", "2021-05-04"),
    ("Kofi",     "Mensah",    "Asantewa",   "male",    "1980-01-25"),
    ("Lavinia",  "Grace",     "Pemberly",   "female",  "1965-07-31"),
    ("Matthias", "Emil",      "Grünwald",   "male",    "2003-12-12"),
    ("Nadia",    "Leila",     "Al-Darwish", "female",  "1991-02-09"),
];
