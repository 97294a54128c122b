network_kind() { echo none; }
