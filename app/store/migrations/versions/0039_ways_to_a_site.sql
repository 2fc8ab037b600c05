-- Client credentials of OAuth 2.0, beside e-mail address and token, and a bearer token.
ALTER TABLE sites DROP CONSTRAINT sites_auth_kind_check;
ALTER TABLE sites ADD CONSTRAINT sites_auth_kind_check
    CHECK (auth_kind IN ('basic', 'bearer', 'oauth'));
-- Whether a second token is stored, and since when it is the first.
ALTER TABLE sites ADD COLUMN second_token boolean NOT NULL DEFAULT false;
ALTER TABLE sites ADD COLUMN token_replaced_at timestamptz;
-- Whether a delivery without a signature may bring the secret in its address.
ALTER TABLE sites ADD COLUMN webhook_basic boolean NOT NULL DEFAULT false;
-- Authorities that this site's certificate may come from, beside the public ones; and the way out.
ALTER TABLE sites ADD COLUMN ca_certificates text;
ALTER TABLE sites ADD COLUMN proxy_kind text NOT NULL DEFAULT 'installation'
    CHECK (proxy_kind IN ('installation', 'direct', 'own'));
ALTER TABLE sites ADD COLUMN proxy_sealed bytea;
