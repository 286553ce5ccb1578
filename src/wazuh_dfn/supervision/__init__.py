"""A small supervisor after Erlang/OTP's rules, on anyio. It knows no Wazuh and no Kafka."""
