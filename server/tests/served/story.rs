//! `lab/run`, the script of the whole story in the foreground; and `make clean`, which forgets it.

use crate::server::folder;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Where there can be no nodes (3) the story is told on the simulated grid, and says why; where something else is wrong
/// it is not told at all.
#[test]
fn without_nodes_the_grid_is_simulated_and_a_lab_that_fails_is_a_failure() {
    for (code, expected, simulated) in [(3, 7, true), (1, 1, false)] {
        let folder = folder();
        let run = folder.join("lab/run");
        script(&run, &std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/run")).unwrap());
        script(&folder.join("lab/lab"), &format!("#!/bin/sh\necho lab $1\n[ $1 = up ] && exit {code}\nexit 0\n"));
        script(&folder.join("lab/configuration"), "#!/bin/sh\necho \"$@\" >asked\n");
        script(&folder.join("debug/hostgrid"), "#!/bin/sh\necho served \"$@\"\nexit 7\n");
        let ended =
            Command::new("bash").arg(&run).current_dir(&folder).env("CARGO_TARGET_DIR", &folder).output().unwrap();
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert_eq!(ended.status.code(), Some(expected), "{said}");
        assert_eq!(said.contains("can have no real libvirt nodes"), simulated, "{said}");
        assert_eq!(said.contains("served serve"), simulated, "{said}");
        let asked = std::fs::read_to_string(folder.join("asked")).unwrap_or_default();
        assert_eq!(asked.contains("--simulated"), simulated, "{asked}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A shell reads a script as it goes: edited in place, the rest would be read from the middle of another line.
#[test]
fn the_story_ends_as_it_should_when_its_script_was_edited_meanwhile() {
    let folder = folder();
    let run = folder.join("lab/run");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/run")).unwrap();
    script(&run, &text);
    script(&folder.join("lab/configuration"), "#!/bin/sh\n");
    // Ends by itself a while after the script was edited.
    script(
        &folder.join("debug/hostgrid"),
        "#!/bin/sh\ntouch started\nuntil [ -e edited ]; do sleep 0.05; done\nexit 7\n",
    );
    let story = Command::new("bash")
        .arg(&run)
        .current_dir(&folder)
        .env("LAB", "simulated")
        .env("CARGO_TARGET_DIR", &folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if folder.join("started").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(1, "# a comment more, of a length that moves all that follows to where something else stood");
    std::fs::write(&run, format!("{}\necho EDITED\nexit 99\n", lines.join("\n"))).unwrap();
    std::fs::write(folder.join("edited"), "").unwrap();
    let ended = story.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(ended.status.code(), Some(7), "{said}");
    assert!(said.contains("run: stopping") && !said.contains("EDITED"), "{said}");
    assert!(!said.contains("line "), "no complaints of the shell: {said}");
}

#[test]
fn clean_forgets_all_of_the_story_but_nothing_of_one_that_goes_on() {
    let folder = folder();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Makefile"), folder.join("Makefile")).unwrap();
    script(&folder.join("lab/lab"), "#!/bin/sh\necho lab $1 >>asked\n");
    std::fs::create_dir_all(folder.join("var/lab")).unwrap();
    let asked = || std::fs::read_to_string(folder.join("asked")).unwrap_or_default();
    // Not a part of the make that runs the tests.
    let clean = || Command::new("make").arg("clean").current_dir(&folder).env_remove("MAKEFLAGS").output().unwrap();

    // As `lab/run` holds it for as long as it runs.
    let held = std::fs::File::create(folder.join("var/run.lock")).unwrap();
    held.try_lock().unwrap();
    let refused = clean();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("make run goes on") && said.contains("end it first"), "{said}");
    assert!(folder.join("var/lab").exists() && asked().is_empty(), "{}", asked());

    drop(held);
    for _ in 0..2 {
        let done = clean();
        assert!(done.status.success(), "{done:?}");
        assert!(!folder.join("var").exists());
    }
    assert_eq!(asked(), "lab down\n", "the second time there is no lab any more");
    std::fs::remove_dir_all(folder).unwrap();
}
