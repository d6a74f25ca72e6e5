//! The program as an operator calls it beside the server: `config` and `check`, on what is good and on what is not.

use crate::server::{Server, command, configure, edit, folder, said, shared};

#[test]
fn the_example_that_config_prints_is_one_that_it_finds_valid() {
    let server = shared();
    let example = server.command(&["config"]);
    assert!(example.status.success() && example.stderr.is_empty(), "{}", said(&example));
    let name = "example.toml";
    std::fs::write(server.path(name), &example.stdout).unwrap();
    let checked = server.command(&["config", "--check", name]);
    assert_eq!((checked.status.code(), &*said(&checked)), (Some(0), "2 nodes; the configuration is valid\n"));
}

#[test]
fn a_configuration_that_can_t_be_used_ends_every_command_with_what_is_wrong_and_makes_nothing() {
    let folder = folder();
    configure(&folder, [1, 2, 3], |name| format!("simulated:///{name}"));
    let good = std::fs::read_to_string(folder.join("hostgrid.toml")).unwrap();
    for (from, to, why) in [
        ("[[node]]", "[[node]", "hostgrid.toml"),
        ("web = {", "web = { colour = 1,", "colour"),
        ("url = \"http://", "url = \"", "web.url begins with"),
        ("memory_mib = 128", "memory_mib = \"much\"", "memory_mib"),
        ("prefix_length = 16", "prefix_length = 31", "network.prefix_length is at most 30"),
        ("simulated:///qemu-b", "bogus://qemu-b", "node qemu-b: its uri"),
        ("kind = \"lxc\"", "kind = \"lxd\"", "lxd"),
        ("name = \"lxc-b\"", "name = \"lxc-a\"", "another node has the same name"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(folder.join("hostgrid.toml"), good.replace(from, to)).unwrap();
        for words in [
            &["config", "--check", "hostgrid.toml"][..],
            &["check"],
            &["serve"],
            &["user", "add", "a", "--tenant", "b"],
        ] {
            let done = command(&folder, words);
            let said = said(&done);
            assert_eq!(done.status.code(), Some(1), "{words:?}, {to}: {said}");
            assert!(
                said.contains(why) && said.lines().count() < 8 && !said.contains("panicked"),
                "{words:?}, {to}: {said}"
            );
        }
    }
    std::fs::remove_file(folder.join("hostgrid.toml")).unwrap();
    for words in [&["config", "--check", "hostgrid.toml"][..], &["check"], &["serve"]] {
        let done = command(&folder, words);
        assert_eq!(done.status.code(), Some(1), "{words:?}");
        assert!(said(&done).contains("\"hostgrid.toml\" not found"), "{words:?}: {}", said(&done));
    }
    assert!(!folder.join("data").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn check_says_that_every_promise_is_kept_and_without_a_database_that_there_is_none() {
    let server = shared();
    let kept = server.command(&["check"]);
    assert_eq!(kept.status.code(), Some(0), "{}", said(&kept));
    assert!(said(&kept).contains("every promise is kept") && !said(&kept).contains("broken"), "{}", said(&kept));

    let folder = folder();
    configure(&folder, [1, 2, 3], |name| format!("simulated:///{name}"));
    let none = command(&folder, &["check"]);
    assert!(none.status.code() == Some(1) && said(&none).contains("hostgrid.db is not there"), "{}", said(&none));
    assert!(!folder.join("data").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn check_names_the_promise_that_is_broken_and_ends_with_an_error() {
    let mut server = Server::start();
    server.end();
    let (shop, render) = (server.vm("shop").to_owned(), server.vm("render").to_owned());
    edit(&server.path("data"), "simulated-grid.json", |text| {
        let mut machines: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        let domain = machines.iter().find_map(|machine| machine["domains"].get(&shop)).unwrap().clone();
        for machine in &mut machines {
            machine["domains"][&shop] = domain.clone();
        }
        serde_json::to_string(&machines).unwrap()
    });
    let broken = server.command(&["check"]);
    let said = said(&broken);
    assert_eq!(broken.status.code(), Some(1), "{said}");
    for part in [&format!("VM {shop} executes on ")[..], "qemu-a and qemu-b", "promises are broken"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(&render), "{said}");
    std::fs::remove_dir_all(server.path("")).unwrap();
}
