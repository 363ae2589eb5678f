//! `kill -9`, of any process at any moment: nothing is left running, and the directory is usable.

use std::{collections::BTreeSet, thread, time::Duration};

use crate::program::{Home, kill};

#[test]
fn the_parent_is_killed_at_any_moment() {
    let home = Home::new();
    // From before the directory exists to the end of the job: the first run takes about a second.
    for millis in [3, 40, 120, 300, 600, 900, 1200, 1600, 250, 500, 800] {
        let mut running = home.start(&["--once"]);
        thread::sleep(Duration::from_millis(millis));
        running.signal("KILL");
        running.child.wait().unwrap();
        home.require_nothing_left();
    }
    let ran = home.dev(&["--once"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn an_actor_is_killed_at_any_moment() {
    let home = Home::new();
    assert_eq!(home.dev(&["--once"]).code, Some(0));
    let actors = ["ca serve", "data-holder", "actor fhir", "phisher"];
    let mut killed = BTreeSet::new();
    for (round, actor) in actors.into_iter().cycle().take(12).enumerate() {
        let mut running = home.start(&["--once"]);
        // First as soon as it is there; then the moment differs from round to round: during the start, and
        // within different steps.
        let first = round < actors.len();
        thread::sleep(Duration::from_millis(if first {
            0
        } else {
            60 * round as u64
        }));
        let victim = loop {
            let victims = home.processes();
            let victim = victims.into_iter().find(|(_, args)| args.contains(actor));
            if victim.is_some() || !first || running.child.try_wait().unwrap().is_some() {
                break victim;
            }
        };
        if let Some((pid, _)) = victim {
            kill(pid, "KILL");
            killed.insert(actor);
        }
        let mut last = None;
        while let Some(line) = running.next() {
            last = Some(line);
        }
        let code = running.child.wait().unwrap().code();
        // Either everything was done before that, or it is said.
        let last = last.unwrap();
        assert_eq!(last["step"], "all");
        assert_eq!(last["ok"] == true, code == Some(0), "{last}");
        home.require_nothing_left();
        let ran = home.dev(&["--once"]);
        assert_eq!(ran.code, Some(0), "after {actor} was killed: {ran:?}");
    }
    assert_eq!(killed, BTreeSet::from(actors));
}

#[test]
fn a_sandbox_that_is_up_says_which_actor_ended() {
    let home = Home::new();
    let mut running = home.start(&[]);
    running.until_up();
    let (data_holder, _) = home
        .processes()
        .into_iter()
        .find(|(_, args)| args.contains("data-holder"))
        .unwrap();
    kill(data_holder, "KILL");
    let (code, lines) = running.end();
    assert_eq!(code, Some(1));
    assert_eq!(lines[0]["code"], "actor-ended");
    let said = lines[0]["error"].as_str().unwrap();
    assert!(said.starts_with("data-holder ended"), "{said}");
    home.require_nothing_left();

    // The same after the parent of a sandbox that was up is killed: its children see it.
    let mut running = home.start(&[]);
    running.until_up();
    running.signal("KILL");
    running.child.wait().unwrap();
    home.require_nothing_left();
    assert_eq!(home.dev(&["--once"]).code, Some(0));
}
