"""Events by MQTT: topics and messages, Home Assistant's discovery, and the client of a broker."""
