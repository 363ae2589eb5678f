//! `udap audit`

use crate::catalogue;
use crate::cmd::admin::source;
use crate::output::{self, Format};
use crate::problem::Problem;
use futures_util::StreamExt as _;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_host::audit::{self, Filter, Record};
use udap_host::config::{self, Config};
use udap_host::db::Db;
use udap_pki::UnixTime;
use udap_trust::clock;

/// Who did what at this machine's data holder, and why it was allowed or refused.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The newest entries, with their reasons
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Entries as FHIR AuditEvent resources, one on each line, oldest first
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(FilterArgs),
    /// Delete what is older than you have to keep it; export it first
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(PruneArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many entries at most, the newest of those that are wanted
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// The configuration of the data holder
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    config: PathBuf,
    /// Entries from before then go: RFC 3339, the time up to which they were exported
    #[arg(long, value_name = "TIME")]
    until: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FilterArgs {
    /// The configuration of the data holder
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    config: PathBuf,
    /// From then on: RFC 3339, or how long ago (30m, 12h, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before then, likewise
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only such events, e.g. token-refused
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Only about this client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Only with this code, e.g. certificate-revoked
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only of the request that its answer's `x-request-id` names so
    #[arg(long, value_name = "ID")]
    request: Option<String>,
}

pub(crate) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::List(args) => list(&args, format).await,
        Command::Export(args) => export(&args).await,
        Command::Prune(args) => prune(&args, format).await,
    }
}

async fn list(args: &ListArgs, format: Format) -> Result<ExitCode, Problem> {
    let (db, _) = args.filter.open().await?;
    let mut filter = args.filter.filter(clock::now())?;
    let mut newest = Vec::new();
    // However far back they are: nobody else waits for these questions.
    loop {
        let missing = args
            .limit
            .saturating_sub(u32::try_from(newest.len()).unwrap_or(u32::MAX));
        let recent = audit::recent(&db, &filter, missing).await?;
        newest.extend(recent.records);
        let Some(searched_to) = recent.searched_to else {
            break;
        };
        filter.until = Some(searched_to);
    }
    newest.reverse();
    match format {
        Format::Json => output::json(&json!({ "entries": newest }))?,
        Format::Human if newest.is_empty() => output::talk(&args.filter.nothing()),
        Format::Human => output::data(&to_text(&newest, output::columns()))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(args: &FilterArgs) -> Result<ExitCode, Problem> {
    let (db, config) = args.open().await?;
    let now = clock::now();
    let filter = args.filter(now)?;
    // What is a while ago moves on; whoever prunes names this.
    if let Some(until) = &args.until {
        output::talk(&format!("entries from before {}", time(until, now)?));
    }
    let mut all = std::pin::pin!(audit::entries(&db, &filter));
    while let Some(record) = all.next().await {
        let event = audit::audit_event(&record?, &config.base_url);
        output::data(&output::json_line(&event))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prune(args: &PruneArgs, format: Format) -> Result<ExitCode, Problem> {
    let now = clock::now();
    // A point in time alone: a while ago would be later than it was when they were exported. And a day back,
    // since entries may wait in a server whose database does not take them.
    let wrong = |why: &str| {
        let why = format!("`{}` {why}", args.until);
        Problem::new("usage", why)
            .hint("the time that `udap audit export` told, e.g. 2020-12-01T00:00:00Z")
            .unreadable()
    };
    let until: Result<UnixTime, _> = args.until.parse();
    let until = until.map_err(|_| wrong("is no point of time, such as the export tells"))?;
    if until > now.plus_secs(-24 * 3600) {
        return Err(wrong(
            "is less than a day ago; entries are kept for a day at least",
        ));
    }
    // One that is not there is not made.
    drop(Db::open_existing(&config::load(&args.config)?.database()?).await?);
    let local = source::local(&args.config).await?;
    let pruned = local.prune_audit(until).await?;
    match format {
        Format::Json => output::json(&json!({ "pruned": pruned, "until": until.to_string() }))?,
        Format::Human => output::talk(&format!("{pruned} entries from before {until} are deleted")),
    }
    Ok(ExitCode::SUCCESS)
}

impl FilterArgs {
    async fn open(&self) -> Result<(Db, Config), Problem> {
        let config = config::load(&self.config)?;
        let db = Db::open_existing(&config.database()?).await?;
        Ok((db, config))
    }

    /// What is said where no entry is like that: a word that no entry can have is a typo, most likely.
    fn nothing(&self) -> String {
        let code = self.code.as_deref().and_then(catalogue::did_you_mean);
        let event = self.event.as_deref();
        let event = event.and_then(catalogue::did_you_mean_event);
        let nothing = Some("no entry is like that".to_owned());
        let all = [nothing, event, code].into_iter().flatten();
        all.collect::<Vec<_>>().join("; ")
    }

    fn filter(&self, now: UnixTime) -> Result<Filter, Problem> {
        let time = |text: &Option<String>| {
            let time = text.as_deref().map(|text| time(text, now)).transpose()?;
            Ok::<_, Problem>(time.map(|time| time.0.saturating_mul(1_000_000)))
        };
        Ok(Filter {
            since: time(&self.since)?,
            until: time(&self.until)?,
            event: self.event.clone(),
            client_id: self.client.clone(),
            code: self.code.clone(),
            request_id: self.request.clone(),
            refusals: false,
        })
    }
}

/// A point in time, or how long ago it was.
pub(crate) fn time(text: &str, now: UnixTime) -> Result<UnixTime, Problem> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = || {
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let secs = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return None,
        };
        let count: u32 = count.parse().ok()?;
        Some(now.plus_secs(-i64::from(count).saturating_mul(secs)))
    };
    ago().ok_or_else(|| {
        Problem::new("usage", format!("`{text}` is no time"))
            .hint("2026-11-24T16:00:00Z, or how long ago: 30m, 12h, 7d")
            .unreadable()
    })
}

/// Who, where from and in which community, as a table; below each row what happened or why not, which may be
/// long. Where that is too wide, each entry as a block.
fn to_text(records: &[Record], columns: Option<usize>) -> String {
    let entry = |record: &Record| {
        let who = record.more.uri.as_ref().or(record.client_id.as_ref());
        let community = record.community.as_deref().unwrap_or_default();
        let remote = record.more.remote.map(|remote| remote.to_string());
        [
            UnixTime(record.at.div_euclid(1_000_000)).to_string(),
            record.event.clone(),
            shortened(community.trim_start_matches("https://")),
            remote.unwrap_or_default(),
            who.cloned().unwrap_or_default(),
            what(record),
        ]
        .map(|cell| output::printable(&cell))
    };
    let header = ["TIME", "EVENT", "COMMUNITY", "FROM", "WHO", "WHAT"];
    let entries: Vec<_> = records.iter().map(entry).collect();
    let rows = entries.iter().cloned();
    let rows =
        rows.map(|[time, event, community, from, who, _]| [time, event, community, from, who]);
    let table = output::table(
        header.split_last().map_or(&[], |(_, rest)| rest),
        rows.collect(),
    );
    if !output::fits(&table, columns) {
        let blocks: Vec<_> = entries
            .iter()
            .map(|entry| output::block(&header, entry))
            .collect();
        return blocks.join("\n");
    }
    let below = entries.iter().map(|[.., what]| match what.as_str() {
        "" => String::new(),
        what => format!("\n   {what}"),
    });
    let below = std::iter::once(String::new()).chain(below);
    let lines = table.lines().zip(below);
    let lines: Vec<_> = lines
        .map(|(line, below)| format!("{line}{below}"))
        .collect();
    lines.join("\n")
}

/// By its end, which is what tells names of one place apart.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= MAX_COMMUNITY {
        return text.to_owned();
    }
    let end: String = text.chars().skip(count + 1 - MAX_COMMUNITY).collect();
    format!("…{end}")
}

fn what(record: &Record) -> String {
    if let Some(code) = &record.code {
        let detail = record.more.detail.as_deref().unwrap_or_default();
        return format!("[{code}] {detail}").trim_end().to_owned();
    }
    let data = record.more.data.iter().flat_map(|data| data.as_object());
    let members = data.flatten().map(|(name, value)| match value.as_str() {
        Some(text) => text.to_owned(),
        None => format!("{name} {value}"),
    });
    members.collect::<Vec<_>>().join(", ")
}

/// So that a row with an IPv4 address and a URI of 32 characters has 120 columns.
const MAX_COMMUNITY: usize = 22;

const LIST_EXAMPLES: &str = "\
EXAMPLES
  Why a partner was refused today:
    udap audit list --since 12h --code certificate-revoked

  What came of the request that a partner names, by `x-request-id` of the answer:
    udap audit list --request 0fd3a1b27c55-1f

  What one app did, for a program:
    udap audit list --client 2xBUc3c2F2diWFy_N459jw --limit 1000 --json";

const EXPORT_EXAMPLES: &str = "\
EXAMPLES
  udap audit export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z > november.ndjson
  udap audit export --since 1d --event token-refused";

const PRUNE_EXAMPLES: &str = "\
EXAMPLES
  Keep six years, as many in the US do (45 CFR 164.316):
    udap audit export --until 2020-12-01T00:00:00Z > audit-2020-11.ndjson
    udap audit prune --until 2020-12-01T00:00:00Z

The server may run meanwhile. The trail says who pruned it, and how much.";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_tells_who_where_from_and_in_which_community_within_120_columns() {
        let record = |community: &str, code: Option<&str>| Record {
            at: 1_795_536_000_000_000,
            event: "registration-cancelled".to_owned(),
            community: Some(community.to_owned()),
            client_id: Some("2xBUc3c2F2diWFy_N459jw".to_owned()),
            code: code.map(str::to_owned),
            more: audit::More {
                uri: Some("https://apps.clinic.example/ehr1".to_owned()),
                remote: Some(std::net::Ipv4Addr::new(203, 100, 113, 114).into()),
                detail: code.map(|_| "a sentence\nof a stranger".to_owned()),
                ..audit::More::default()
            },
        };
        let records = [
            record("https://community.example/north", None),
            record("https://community.example/south", Some("jwt-replayed")),
        ];
        let text = to_text(&records, Some(120));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].contains("unity.example/north"), "{text}");
        assert!(lines[2].contains("unity.example/south"), "{text}");
        assert!(lines[2].contains("203.100.113.114"), "{text}");
        assert!(
            lines[2].ends_with("  https://apps.clinic.example/ehr1"),
            "{text}"
        );
        assert_eq!(
            lines[3],
            "   [jwt-replayed] a sentence\u{fffd}of a stranger"
        );
        assert!(
            lines.iter().all(|line| line.chars().count() <= 120),
            "{text}"
        );
    }

    #[test]
    fn entries_too_wide_for_the_terminal_are_blocks() {
        let record = Record {
            at: 1_795_536_000_000_000,
            event: "token-refused".to_owned(),
            community: None,
            client_id: Some("2xBUc3c2F2diWFy_N459jw".to_owned()),
            code: Some("jwt-replayed".to_owned()),
            more: audit::More::default(),
        };
        assert_eq!(
            to_text(&[record], Some(40)),
            "\u{1b}[1m2026-11-24T16:00:00Z  token-refused\u{1b}[0m\n  who   2xBUc3c2F2diWFy_N459jw\n  what  [jwt-replayed]"
        );
    }

    #[test]
    fn a_time_is_a_point_or_a_while_ago() {
        let now = UnixTime(1_000_000);
        assert_eq!(time("90s", now).unwrap(), UnixTime(999_910));
        assert_eq!(time("30m", now).unwrap(), UnixTime(998_200));
        assert_eq!(time("12h", now).unwrap(), UnixTime(956_800));
        assert_eq!(time("7d", now).unwrap(), UnixTime(395_200));
        assert_eq!(time("1970-01-01T00:01:00Z", now).unwrap(), UnixTime(60));
        for wrong in ["", "d", "-1d", "1w", "yesterday", "é"] {
            assert_eq!(time(wrong, now).unwrap_err().code(), "usage", "{wrong}");
        }
    }
}
