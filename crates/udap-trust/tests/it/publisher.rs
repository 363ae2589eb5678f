//! A server that publishes what a test puts there, as slowly and as wrongly as it likes, and counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
    etag: Option<String>,
    delay: Duration,
    /// One byte at a time, with a pause between.
    trickle: bool,
    endless: bool,
}

impl Reply {
    pub(crate) fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            etag: None,
            delay: Duration::ZERO,
            trickle: false,
            endless: false,
        }
    }
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", body)
    }
    pub(crate) fn header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }
    /// Answered with 304 to whoever has it already.
    pub(crate) fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
    pub(crate) fn trickled(mut self) -> Self {
        self.trickle = true;
        self
    }
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    port: u16,
    routes: Arc<Mutex<HashMap<String, Reply>>>,
    /// `METHOD path status`, in order of arrival.
    log: Arc<Mutex<Vec<String>>>,
}

impl Publisher {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let publisher = Self {
            port: listener.local_addr().unwrap().port(),
            routes: Arc::default(),
            log: Arc::default(),
        };
        let this = publisher.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.serve(stream).await });
            }
        });
        publisher
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }
    pub(crate) fn put(&self, path: &str, reply: Reply) {
        self.routes.lock().unwrap().insert(path.to_owned(), reply);
    }
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        let log = self.log();
        log.iter()
            .filter(|line| line.split(' ').nth(1) == Some(path))
            .count()
    }

    async fn serve(self, mut stream: TcpStream) -> Option<()> {
        loop {
            let head = read_request(&mut stream).await?;
            let mut words = head.split(' ');
            let (method, path) = (words.next()?, words.next()?);
            let path = path.split('?').next()?;
            let reply = self.routes.lock().unwrap().get(path).cloned();
            let reply = reply.unwrap_or_else(|| Reply::new("404 Not Found", "nothing here"));
            let has_it = reply.etag.as_ref().is_some_and(|etag| {
                head.to_ascii_lowercase()
                    .contains(&format!("if-none-match: {}", etag.to_ascii_lowercase()))
            });
            let (status, body) = if has_it {
                ("304 Not Modified", &[][..])
            } else {
                (reply.status, reply.body.as_slice())
            };
            let line = format!("{method} {path} {}", status.split(' ').next()?);
            self.log.lock().unwrap().push(line);
            tokio::time::sleep(reply.delay).await;
            let mut answer = format!("HTTP/1.1 {status}\r\n");
            for header in &reply.headers {
                answer += &format!("{header}\r\n");
            }
            if let Some(etag) = &reply.etag {
                answer += &format!("ETag: {etag}\r\n");
            }
            if !reply.endless {
                answer += &format!("Content-Length: {}\r\n", body.len());
            }
            answer += "\r\n";
            stream.write_all(answer.as_bytes()).await.ok()?;
            if reply.trickle {
                for byte in body {
                    stream.write_all(&[*byte]).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            } else {
                stream.write_all(body).await.ok()?;
            }
            if reply.endless {
                loop {
                    stream.write_all(&[b'x'; 65_536]).await.ok()?;
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let found = name.eq_ignore_ascii_case("content-length");
                found.then(|| value.trim().parse::<usize>().ok())?
            });
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(head);
            }
        }
        let mut chunk = [0; 4096];
        let read = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(chunk.get(..read)?);
    }
}
