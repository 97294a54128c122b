module_services() { fail NotSupported 'not there yet'; }
