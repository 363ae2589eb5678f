#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use proptest::prelude::*;

fn server_hello(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([4, 1, 2, 3, 4]);
    body.extend([0xc0, 0x2f, 0]);
    body.extend(extensions);
    let mut message = vec![2, 0];
    vector16(&mut message, &body);
    message
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3, 3];
    vector16(&mut out, body);
    out
}

const CHOSEN: Answer = Answer::Hello {
    version: Version::Tls12,
    suite: 0xc02f,
};

#[test]
fn a_client_hello_is_what_a_tls_library_reads() {
    let hello = client_hello(&Hello {
        version: Version::Tls12,
        suites: &[0xc02f, 0xc02b],
        random: [9; 32],
        server_name: Some("localhost"),
    });
    let mut acceptor = rustls::server::Acceptor::default();
    acceptor.read_tls(&mut hello.as_slice()).unwrap();
    let accepted = acceptor.accept().map_err(|(e, _)| e).unwrap().unwrap();
    let read = accepted.client_hello();
    assert_eq!(read.server_name(), Some("localhost"));
    let suites: Vec<u16> = read.cipher_suites().iter().map(|s| u16::from(*s)).collect();
    assert_eq!(suites, [0xc02f, 0xc02b, 0x00ff]);
    assert!(read.signature_schemes().len() > 8);
}

#[test]
fn ssl_3_has_no_extensions_and_its_own_record_version() {
    let hello = client_hello(&Hello {
        version: Version::Ssl30,
        suites: &[0x000a],
        random: [9; 32],
        server_name: Some("localhost"),
    });
    let mut expected = vec![22, 3, 0, 0, 47, 1, 0, 0, 43, 3, 0];
    expected.extend([9; 32]);
    expected.extend([0, 0, 4, 0, 0x0a, 0, 0xff, 1, 0]);
    assert_eq!(hello, expected);
}

#[test]
fn a_server_hello_is_read_with_and_without_extensions() {
    for extensions in [
        &[][..],
        &[0, 0],
        &[0, 5, 0xff, 0x01, 0, 1, 0],
        &[0, 9, 0, 0, 0, 0, 0xff, 0x01, 0, 1, 0],
    ] {
        let bytes = record(22, &server_hello(extensions));
        assert_eq!(read_answer(&bytes), Ok(Some(CHOSEN)), "{extensions:?}");
    }
}

#[test]
fn every_prefix_of_an_answer_asks_for_more() {
    let whole = server_hello(&[0, 5, 0xff, 0x01, 0, 1, 0]);
    let mut bytes = record(21, &[1, 112]);
    for piece in whole.chunks(10) {
        bytes.extend(record(22, piece));
    }
    for at in 0..bytes.len() {
        assert_eq!(read_answer(&bytes[..at]), Ok(None), "{at}");
    }
    assert_eq!(read_answer(&bytes), Ok(Some(CHOSEN)));
}

#[test]
fn a_fatal_alert_and_a_farewell_are_refusals() {
    for (level, description) in [(2, 40), (2, 70), (1, 0)] {
        assert_eq!(
            read_answer(&record(21, &[level, description])),
            Ok(Some(Answer::Alert { description }))
        );
    }
    assert_eq!(alert_name(70), "protocol_version");
}

#[test]
fn what_is_not_tls_is_said_to_be_so_at_once() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request"[..],
        b"220 mail.example ESMTP",
        b"\x16\x02",
        b"\x17\x03\x03",
        b"\x16\x03\x05\x00\x01",
    ] {
        assert_eq!(read_answer(bytes), Err(AnswerError::NotTls), "{bytes:?}");
    }
}

#[test]
fn each_broken_length_is_refused() {
    let malformed = |why| Err(AnswerError::Malformed(why));
    assert_eq!(read_answer(&record(22, &[])), malformed("an empty record"));
    assert_eq!(
        read_answer(&record(21, &[2])),
        malformed("an alert that is not two bytes")
    );
    assert_eq!(
        read_answer(&record(21, &[3, 40])),
        malformed("an alert of no known level")
    );
    assert_eq!(read_answer(&[22, 3, 3, 0x40, 1]), Err(AnswerError::TooLong));
    assert_eq!(
        read_answer(&record(22, &[2, 1, 0, 0])),
        Err(AnswerError::TooLong)
    );
    assert_eq!(
        read_answer(&record(22, &[11, 0, 0, 0])),
        Err(AnswerError::Unexpected(11))
    );
    let mut split = record(22, &[2, 0, 0]);
    split.extend(record(21, &[2, 40]));
    assert_eq!(read_answer(&split), malformed("an alert inside a message"));
    let warnings = record(21, &[1, 112]).repeat(MAX_RECORDS);
    assert_eq!(read_answer(&warnings), Err(AnswerError::TooLong));

    let hello = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = server_hello(&[0, 5, 0xff, 0x01, 0, 1, 0]);
        change(&mut message);
        let len = u8::try_from(message.len() - 4).unwrap();
        message[3] = len;
        read_answer(&record(22, &message))
    };
    let extensions = "extensions that do not keep their lengths";
    assert_eq!(
        hello(&|m| m[5] = 9),
        malformed("a version that was not asked for")
    );
    assert_eq!(
        hello(&|m| m[38] = 33),
        malformed("a session identifier that is too long")
    );
    assert_eq!(
        hello(&|m| m[45] = 1),
        malformed("a compression that was not asked for")
    );
    assert_eq!(
        hello(&|m| m.truncate(40)),
        malformed("a ServerHello that is too short")
    );
    assert_eq!(hello(&|m| m.truncate(50)), malformed(extensions));
    assert_eq!(hello(&|m| m.push(0)), malformed(extensions));
    assert_eq!(hello(&|m| m.truncate(47)), malformed(extensions));
    let twice = server_hello(&[0, 8, 0xff, 0x01, 0, 0, 0xff, 0x01, 0, 0]);
    assert_eq!(
        read_answer(&record(22, &twice)),
        malformed("an extension that is there twice")
    );
}

proptest! {
    /// More bytes never change an answer that was given, and no bytes end in anything but a value.
    #[test]
    fn an_answer_once_given_stays(bytes in any::<Vec<u8>>(), start in 0..4_usize, more in any::<Vec<u8>>()) {
        let head: &[u8] = [&[][..], &[22, 3, 3], &[22, 3, 3, 0, 60, 2, 0, 0, 56, 3, 3], &[21, 3, 1, 0, 2]][start];
        let first = [head, &bytes].concat();
        let longer = [first.as_slice(), &more].concat();
        if let Ok(Some(answer)) = read_answer(&first) {
            prop_assert_eq!(read_answer(&longer), Ok(Some(answer)));
        }
        if let Err(error) = read_answer(&first) {
            prop_assert_eq!(read_answer(&longer), Err(error));
        }
    }
}
