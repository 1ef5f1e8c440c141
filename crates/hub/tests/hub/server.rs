//! A small HTTP/1.1 server on a real socket: it logs every request and answers what the test says, byte by byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Number of requests this server had before.
    pub(crate) index: usize,
    /// Which accepted connection it came over.
    pub(crate) connection: usize,
    /// Path and query.
    pub(crate) target: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The range asked for, end exclusive.
    pub(crate) fn range(&self) -> Option<Range<usize>> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some(first.parse().unwrap()..last.parse::<usize>().unwrap() + 1)
    }
}

/// Bytes per second, asked anew for each piece.
pub(crate) type Rate = Arc<dyn Fn() -> usize + Send + Sync>;

/// What a server does after the response head.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Sends at this rate.
    Paced(Vec<u8>, Rate),
    /// Never sends anything again, and keeps the connection open.
    Hang,
    /// Closes the connection.
    Close,
}

/// An answer: status, headers, and the steps of its body.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

impl Reply {
    /// An answer with a body and its length.
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let reply = Self { status, headers: Vec::new(), steps: vec![Step::Send(body.to_vec())] };
        reply.header("Content-Length", &body.len().to_string())
    }

    /// An answer that never comes.
    pub(crate) fn silence() -> Self {
        Self { status: 0, headers: Vec::new(), steps: vec![Step::Hang] }
    }

    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::new(200, body.to_string().as_bytes()).header("Content-Type", "application/json")
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, b"this is not the file").header("Location", location)
    }

    /// What a correct server sends for the request's range of `content`.
    pub(crate) fn ranged(request: &Request, content: &[u8]) -> Self {
        let Some(range) = request.range() else { return Self::new(200, content) };
        let range = range.start..range.end.min(content.len());
        let value = format!("bytes {}-{}/{}", range.start, range.end - 1, content.len());
        Self::new(206, &content[range]).header("Content-Range", &value)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same head, another body.
    pub(crate) fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps = steps.into_iter().collect();
        self
    }

    /// The same answer, at a rate.
    pub(crate) fn paced(self, rate: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        let body = self.body();
        self.steps([Step::Paced(body, Arc::new(rate))])
    }

    /// The body as one piece.
    pub(crate) fn body(&self) -> Vec<u8> {
        let sent = |step: &Step| match step {
            Step::Send(bytes) | Step::Paced(bytes, _) => bytes.clone(),
            Step::Hang | Step::Close => Vec::new(),
        };
        self.steps.iter().flat_map(sent).collect()
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// Runs until dropped.
pub(crate) struct Server {
    address: SocketAddr,
    log: Arc<Log>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    answering: AtomicUsize,
    busiest: AtomicUsize,
}

/// Counts as being answered until dropped.
struct Answering<'a>(&'a Log);

impl<'a> Answering<'a> {
    fn new(log: &'a Log) -> Self {
        let now = log.answering.fetch_add(1, Ordering::SeqCst) + 1;
        log.busiest.fetch_max(now, Ordering::SeqCst);
        Self(log)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::<Log>::default();
        let accepting = tokio::spawn(accept(listener, Arc::new(handler), Arc::clone(&log)));
        Self { address, log, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.requests.lock().unwrap().clone()
    }

    /// Most requests that were being answered at once.
    pub(crate) fn busiest(&self) -> usize {
        self.log.busiest.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, handler: Arc<Handler>, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    for connection in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
        connections.spawn(async move {
            // A client that goes away ends its connection; tests see what it received.
            drop(serve(stream, connection, &*handler, &log).await);
        });
    }
}

async fn serve(stream: TcpStream, connection: usize, handler: &Handler, log: &Log) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read(&mut stream, connection).await? {
        {
            let mut requests = log.requests.lock().unwrap();
            request.index = requests.len();
            requests.push(request.clone());
        }
        let _answering = Answering::new(log);
        let reply = handler(&request);
        if reply.status != 0 {
            stream.write_all(head(&reply).as_bytes()).await?;
        }
        for step in reply.steps {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await?,
                Step::Paced(bytes, rate) => paced(&mut stream, &bytes, &*rate).await?,
                Step::Hang => std::future::pending().await,
                Step::Close => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Sends a slice every 20 ms: the rate is the behaviour under test, nothing waits for it to pass.
async fn paced(
    stream: &mut BufReader<TcpStream>,
    mut bytes: &[u8],
    rate: &(dyn Fn() -> usize + Send + Sync),
) -> std::io::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while !bytes.is_empty() {
        ticks.tick().await;
        let (slice, rest) = bytes.split_at((rate() / 50).min(bytes.len()));
        stream.write_all(slice).await?;
        bytes = rest;
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>, connection: usize) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Ok(Some(Request { index: 0, connection, target, headers }))
}

fn head(reply: &Reply) -> String {
    let lines = reply.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let lines: Vec<_> = std::iter::once(format!("HTTP/1.1 {} Reason", reply.status)).chain(lines).collect();
    format!("{}\r\n\r\n", lines.join("\r\n"))
}
