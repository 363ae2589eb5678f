//! Every example of every help is run, and ends as its help says.
//!
//! The helps are those of the snapshot, which a test of the binary compares with what is shown. An example is run by a
//! shell, as whoever copies it would do. What stands in it for something else (a host, an id) is replaced by
//! [`scene::Scene::replaced`], and the files that it names are there.

mod scene;
mod tables;

use crate::community::until;
use scene::{Place, Scene};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const HELPS: &str = include_str!("../../src/snapshots/udap__cli__tests__help.snap");

/// A line of EXAMPLES.
#[derive(Debug, Clone)]
struct Example {
    /// Whose help it stands in: `udap ca issue`.
    of: String,
    line: String,
}

#[test]
fn each_ends_as_its_help_says() {
    let examples = examples();
    assert!(examples.len() > 120, "only {} were found", examples.len());
    require_needed(&examples);
    let mut scene = Scene::start();
    let mut wrong = Vec::new();

    // Most of the others are for "another terminal".
    let sandbox = examples.iter().find(|example| example.line == "udap dev");
    let sandbox = Serving::start(&mut scene, sandbox.unwrap());
    let (serving, others): (Vec<_>, Vec<_>) = examples
        .iter()
        .filter(|example| excepted(example).is_none() && example.line != "udap dev")
        .partition(|example| {
            tables::SERVES
                .iter()
                .any(|line| example.line.starts_with(line))
        });
    for example in others {
        wrong.extend(run(&mut scene, example).err());
    }
    wrong.extend(sandbox.end().err());
    // Each in place of those that served so far.
    scene.without_data_holder();
    for example in serving {
        wrong.extend(Serving::start(&mut scene, example).end().err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The lines of EXAMPLES that are commands, in the order of the helps; those that go on are joined.
fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    let mut of = String::new();
    let mut inside = false;
    for line in HELPS.replace("\\\n", "").lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            command.strip_suffix(" --help").unwrap().clone_into(&mut of);
        }
        if !line.is_empty() && !line.starts_with(' ') {
            inside = line == "EXAMPLES";
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if inside && words.first() == Some(&"udap") {
            found.push(Example {
                of: of.clone(),
                line: words.join(" "),
            });
        }
    }
    found
}

fn excepted(example: &Example) -> Option<&'static str> {
    let mut all = tables::EXCEPTIONS.iter();
    all.find_map(|(name, why)| (example.of == *name).then_some(*why))
}

/// Nothing is in a table that is in no help any more.
fn require_needed(examples: &[Example]) {
    for (name, why) in tables::EXCEPTIONS {
        let there = examples.iter().any(|example| example.of == *name);
        assert!(there, "no help has {name} any more, which {why}");
    }
    let fragments = [
        tables::SERVES,
        &tables::BEFORE.map(|(fragment, _)| fragment),
        &tables::INPUT.map(|(fragment, _)| fragment),
        &tables::ADDED.map(|(fragment, _)| fragment),
        &tables::REFUSED.map(|(fragment, _)| fragment),
    ];
    for fragment in fragments.concat() {
        let there = |example: &Example| example.line.contains(fragment);
        assert!(
            examples.iter().any(there),
            "no example has {fragment} any more"
        );
    }
}

/// Runs an example to its end; what is wrong if it ends otherwise.
fn run(scene: &mut Scene, example: &Example) -> Result<(), String> {
    let place = scene.place(&example.of, &example.line);
    let line = line(scene, &place, example)?;
    for (fragment, before) in tables::BEFORE {
        if example.line.contains(fragment) {
            let before = replaced(scene, &place, before);
            let said = shell(&place, &before, None);
            if !said.status.success() {
                return Err(format!("{before}\n{}", told(&said)));
            }
        }
    }
    let input = tables::INPUT.iter();
    let input = input.filter(|(fragment, _)| example.line.contains(fragment));
    let input = input.map(|(_, file)| place.dir.join(file)).next();
    // A shell tells of a pipeline's last part only.
    let parts = line.split(" | ");
    let parts: Vec<_> = parts
        .map(|part| format!("{{ {part}; echo $? >> codes; }}"))
        .collect();
    let codes = place.dir.join("codes");
    // There are none yet the first time.
    let _ = std::fs::remove_file(&codes);
    let said = shell(&place, &parts.join(" | "), input.as_deref());
    let codes = std::fs::read_to_string(codes).unwrap_or_default();
    let codes: Vec<&str> = codes.lines().collect();
    let refused = tables::REFUSED
        .iter()
        .any(|(fragment, _)| example.line.ends_with(fragment));
    let expected = match refused {
        true => vec!["1"],
        false => vec!["0"; parts.len()],
    };
    match codes == expected {
        true => Ok(()),
        false => Err(format!("{}: {line}\n{codes:?} {}", example.of, told(&said))),
    }
}

/// An example as it is run here.
fn line(scene: &Scene, place: &Place, example: &Example) -> Result<String, String> {
    let mut line = replaced(scene, place, &example.line);
    for (fragment, more) in tables::ADDED {
        if example.line.contains(fragment) {
            line.push_str(&replaced(scene, place, more));
        }
    }
    if place.by_name {
        for command in tables::ASKS {
            let asks = format!("{command} ");
            line = line.replacen(&asks, &format!("{asks}{} ", scene.allowed()), 1);
        }
    }
    if let Some(stray) = stray(&line) {
        return Err(format!(
            "{}: {stray} would be looked for elsewhere: {line}",
            example.of
        ));
    }
    Ok(line)
}

fn replaced(scene: &Scene, place: &Place, text: &str) -> String {
    let all = place.replaced.iter().chain(scene.replaced());
    all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A word that is an address of another machine, and no name that is compared only.
fn stray(line: &str) -> Option<String> {
    let mut before = "";
    for word in line.split_whitespace() {
        let word = word.trim_matches('\'');
        let address =
            word.contains("://") || word.contains(".example") || word.contains("example.");
        let host = word.split("://").last().unwrap_or_default();
        let here = ["localhost", "127.0.0.1"]
            .iter()
            .any(|name| host.starts_with(name));
        if address && !here && !tables::NAMES.contains(&before) {
            return Some(word.to_owned());
        }
        before = word;
    }
    None
}

fn shell(place: &Place, line: &str, input: Option<&Path>) -> Output {
    let input = input.map_or_else(Stdio::null, |path| {
        std::fs::File::open(path).unwrap().into()
    });
    command(place, line).stdin(input).output().unwrap()
}

fn command(place: &Place, line: &str) -> Command {
    let mut path = vec![place.programs.clone()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut command = Command::new("sh");
    command
        // Whoever has no jq sees all of it.
        .args([
            "-c",
            &format!("command -v jq >/dev/null || jq() {{ cat; }}\n{line}"),
        ])
        .current_dir(&place.dir)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", &place.dir)
        // The system's roots, among which the test's hosts have theirs.
        .env("SSL_CERT_FILE", &place.roots)
        .env_remove("SSL_CERT_DIR")
        .env_remove("XDG_STATE_HOME")
        .env_remove("UDAP_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn told(said: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {}", text(&said.stdout), text(&said.stderr))
}

/// An example that goes on until it is ended.
struct Serving {
    line: String,
    child: Child,
    output: std::path::PathBuf,
    ready: bool,
}

impl Serving {
    /// Waits until it answers.
    fn start(scene: &mut Scene, example: &Example) -> Self {
        let place = scene.place(&example.of, &example.line);
        let line = line(scene, &place, example).unwrap();
        let output = place.dir.join("serving.log");
        let log = std::fs::File::create(&output).unwrap();
        let mut child = command(&place, &format!("exec {line}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut ready = false;
        until(|| {
            let text = std::fs::read_to_string(&output).unwrap();
            ready = tables::READY.iter().any(|word| text.contains(word));
            ready || child.try_wait().unwrap().is_some()
        });
        Self {
            line,
            child,
            output,
            ready,
        }
    }

    /// As Ctrl-C or an init system ends it.
    fn end(mut self) -> Result<(), String> {
        let id = self.child.id().to_string();
        // It may have ended already.
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let mut ended = None;
        until(|| {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let said = std::fs::read_to_string(&self.output).unwrap();
        match ended.and_then(|status| status.code()) {
            Some(0) if self.ready => Ok(()),
            code => Err(format!(
                "{}\n{code:?}, ready: {}\n{said}",
                self.line, self.ready
            )),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended, unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
