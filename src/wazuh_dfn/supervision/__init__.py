"""A small supervisor on anyio that follows the rules of Erlang/OTP and depends on neither Wazuh nor Kafka."""
