use http::StatusCode;

use crate::fixture::Fixture;

#[tokio::test]
async fn both_certificates_are_der() {
    let fixture = Fixture::new().await;
    for (path, certificate) in [
        ("/certs/issuing.cer", fixture.ca.issuing_certificate()),
        ("/certs/root.cer", fixture.ca.root_certificate()),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/pkix-cert");
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=3600, must-revalidate, no-transform"
        );
        assert!(answer.header("etag").contains(&certificate.serial_hex()));
        assert!(answer.header("last-modified").ends_with(" GMT"));
        assert_eq!(&answer.body[..], certificate.der());
    }
}
