//! A second process on the same store: this test program started again, driven line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use super::fixture::{Content, add, open};
use crate::block::crc32c;
use crate::mapping::Mapping;
use crate::store::Store;

/// Names the folder for a child; its absence tells a child test that nobody started it.
const FOLDER: &str = "TABAGENT_TEST_FOLDER";

/// What a second process writes after each command.
const ANSWER: &str = "> done\n";

/// Starts the ignored test `name` of this program in a process of its own.
pub(crate) fn start(name: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1", name])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The store of a child test.
pub(crate) fn store_of_child() -> Arc<Store> {
    open(Path::new(&std::env::var_os(FOLDER).unwrap()))
}

/// The parent's end of a second process.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = start("tests::child::peer", folder);
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    /// Sends a command and waits until it is done.
    pub(crate) fn ask(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
        let mut line = String::new();
        // The test program writes lines of its own, and its first has no end.
        while !line.ends_with(ANSWER) {
            line.clear();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the second process died at {command:?}"
            );
        }
    }

    pub(crate) fn add(&mut self, content: &Content) {
        self.ask(&format!("add {} {}", content.seed, content.size));
    }

    pub(crate) fn view(&mut self, content: &Content) {
        self.ask(&format!("view {} {}", content.seed, content.size));
    }

    pub(crate) fn remove(&mut self, content: &Content) {
        self.ask(&format!("remove {} {}", content.seed, content.size));
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it end by itself.
    pub(crate) fn finish(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

/// What a second process does.
#[derive(Default)]
struct Work {
    views: Vec<(Content, Arc<Mapping>)>,
}

impl Work {
    fn run(&mut self, store: &Arc<Store>, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        match words[0] {
            "add" => drop(add(store, &Content::dense(number(1), number(2)))),
            "remove" => {
                let content = Content::dense(number(1), number(2));
                assert_eq!(store.remove_blobs(&[content.name()]).unwrap().blobs, 1);
            }
            "view" => {
                let content = Content::dense(number(1), number(2));
                let view = store.reader(&content.name()).unwrap().unwrap().map().unwrap();
                self.views.push((content, view));
            }
            "check" => {
                for (content, view) in &self.views {
                    assert_eq!(crc32c(view), content.crc(), "the view of {content:?} changed");
                }
            }
            "reserve" => {
                let content = Content::dense(number(1), number(2));
                let lease = store.try_lease(&content.name()).unwrap().unwrap();
                // Stopped here until the next command, of any kind.
                let stopped = || {
                    print!("{ANSWER}");
                    std::io::stdin().read_line(&mut String::new()).unwrap();
                };
                store.begin_between(&lease, content.size, false, stopped).unwrap();
                drop(lease);
            }
            "refresh" => drop(store.refresh_pins().unwrap()),
            "drop" => self.views.clear(),
            other => panic!("unknown command {other}"),
        }
    }
}

#[test]
#[ignore = "other tests start it as their second process"]
fn peer() {
    let store = store_of_child();
    let mut work = Work::default();
    let mut command = String::new();
    while std::io::stdin().read_line(&mut command).unwrap() > 0 {
        work.run(&store, command.trim_end());
        print!("{ANSWER}");
        command.clear();
    }
}
