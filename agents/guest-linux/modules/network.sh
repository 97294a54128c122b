module_network() { fail NotSupported 'not there yet'; }
