//! What can be searched: the resource types, and the parameters of each (<https://hl7.org/fhir/R4/searchparameter-registry.html>).

use serde_json::Value;

/// A resource type of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Condition,
    Observation,
    Organization,
    Patient,
    Practitioner,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Condition,
        Self::Observation,
        Self::Organization,
        Self::Patient,
        Self::Practitioner,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Condition => "Condition",
            Self::Observation => "Observation",
            Self::Organization => "Organization",
            Self::Patient => "Patient",
            Self::Practitioner => "Practitioner",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// In the order in which the store indexes them.
    pub(super) fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Condition => &CONDITION,
            Self::Observation => &OBSERVATION,
            Self::Organization => &ORGANIZATION,
            Self::Patient => &PATIENT,
            Self::Practitioner => &PRACTITIONER,
        }
    }
}

/// One search parameter: its name, its type, and where its values are.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) compared: Compared,
    /// Element names from the resource down; lists are walked through.
    path: &'static [&'static str],
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    String,
    Token,
    /// A token whose element is a bare code; its code system is this.
    Code(&'static str),
    Date,
    Reference,
}

impl Compared {
    /// The code of the search parameter type (<https://hl7.org/fhir/R4/valueset-search-param-type.html>).
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Token | Self::Code(_) => "token",
            Self::Date => "date",
            Self::Reference => "reference",
        }
    }
}

impl Parameter {
    /// The elements at the end of the path.
    pub(super) fn elements<'a>(&self, resource: &'a Value) -> Vec<&'a Value> {
        let mut elements = vec![resource];
        for name in self.path {
            elements = elements
                .into_iter()
                .filter_map(|element| element.get(name))
                .flat_map(each)
                .collect();
        }
        elements
    }
}

/// The items of a list, or the one value.
pub(super) fn each(value: &Value) -> std::slice::Iter<'_, Value> {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
        .iter()
}

const fn parameter(
    name: &'static str,
    compared: Compared,
    path: &'static [&'static str],
) -> Parameter {
    Parameter {
        name,
        compared,
        path,
    }
}

const ID: Parameter = parameter("_id", Compared::Token, &["id"]);
const LAST_UPDATED: Parameter = parameter("_lastUpdated", Compared::Date, &["meta", "lastUpdated"]);
const IDENTIFIER: Parameter = parameter("identifier", Compared::Token, &["identifier"]);
const NAME: Parameter = parameter("name", Compared::String, &["name"]);
const FAMILY: Parameter = parameter("family", Compared::String, &["name", "family"]);
const GIVEN: Parameter = parameter("given", Compared::String, &["name", "given"]);
const GENDER: Parameter = parameter(
    "gender",
    Compared::Code("http://hl7.org/fhir/administrative-gender"),
    &["gender"],
);
const PATIENT_OF: Parameter = parameter("patient", Compared::Reference, &["subject", "reference"]);
const SUBJECT: Parameter = parameter("subject", Compared::Reference, &["subject", "reference"]);
const CODE: Parameter = parameter("code", Compared::Token, &["code"]);
const CATEGORY: Parameter = parameter("category", Compared::Token, &["category"]);

static PATIENT: [Parameter; 8] = [
    ID,
    LAST_UPDATED,
    IDENTIFIER,
    NAME,
    FAMILY,
    GIVEN,
    GENDER,
    parameter("birthdate", Compared::Date, &["birthDate"]),
];

static OBSERVATION: [Parameter; 8] = [
    ID,
    LAST_UPDATED,
    PATIENT_OF,
    SUBJECT,
    CODE,
    CATEGORY,
    parameter("date", Compared::Date, &["effectiveDateTime"]),
    parameter(
        "status",
        Compared::Code("http://hl7.org/fhir/observation-status"),
        &["status"],
    ),
];

static CONDITION: [Parameter; 7] = [
    ID,
    LAST_UPDATED,
    PATIENT_OF,
    SUBJECT,
    CODE,
    CATEGORY,
    parameter("clinical-status", Compared::Token, &["clinicalStatus"]),
];

static ORGANIZATION: [Parameter; 4] = [ID, LAST_UPDATED, IDENTIFIER, NAME];

static PRACTITIONER: [Parameter; 7] = [ID, LAST_UPDATED, IDENTIFIER, NAME, FAMILY, GIVEN, GENDER];
