<?php
// The few functions and classes of WordPress and WooCommerce that the tested classes call, over plain arrays.

define( 'ABSPATH', __DIR__ . '/' );
define( 'MINUTE_IN_SECONDS', 60 );
define( 'DAY_IN_SECONDS', 86400 );
define( 'DB_NAME', 'test' );
define( 'PIXEL_CONNECTOR_VERSION', 'test' );
define( 'PIXEL_CONNECTOR_FILE', dirname( __DIR__ ) . '/pixel-connector.php' );

final class Fake {
	public static $options, $transients, $hooks, $products, $orders, $user, $now_country, $logged, $posts, $answer, $sent, $webhooks, $queued, $arrives, $closed, $filled, $cron, $store, $written, $rows, $changed, $ran, $locked, $forgotten, $removed, $keys, $deleted, $policy, $admin;

	public static function reset(): void {
		self::$options    = self::$transients = self::$hooks = self::$products = self::$orders = self::$logged = self::$sent = self::$webhooks = self::$queued = array();
		self::$arrives    = true;
		self::$changed    = 0;
		self::$admin      = false;
		$GLOBALS['wp']    = (object) array( 'query_vars' => array() );
		self::$keys       = self::$deleted = self::$policy = array();
		self::$ran        = self::$locked = self::$forgotten = self::$removed = array();
		self::$closed     = self::$filled = 0;
		self::$cron       = false;
		self::$store      = '';
		self::$written    = self::$rows = array();
		unset( $GLOBALS['wc_queued_webhooks'] );
		self::$user       = 0;
		self::$now_country = '';
		self::$answer     = array( 'response' => array( 'code' => 200 ), 'body' => '{}' );
		$_COOKIE          = array();
		$_GET             = array();
		$_SERVER          = array( 'REMOTE_ADDR' => '203.0.113.7', 'HTTP_HOST' => 'shop.example', 'HTTPS' => 'on', 'HTTP_USER_AGENT' => 'Mozilla/5.0' );
	}

	public static function connect( array $settings = array(), array $more = array() ): PixelConnector\Connection {
		self::$options['pixel_connector_connection'] = $more + array( 'installation_id' => 'i1', 'public_id' => 'pub', 'connector_url' => 'https://c.example', 'settings' => $settings );
		return new PixelConnector\Connection();
	}

	public static function cookie( array $content ): void {
		$_COOKIE['pixel_connector'] = addslashes( json_encode( $content ) );
	}
}

class WP_Error {
	public $code, $message, $data;
	public function __construct( $code = '', $message = '', $data = null ) { $this->code = $code; $this->message = $message; $this->data = $data; }
	public function get_error_message() { return $this->message; }
}
class WP_REST_Response {
	public $data, $status, $headers = array();
	public function __construct( $data = null, $status = 200 ) { $this->data = $data; $this->status = $status; }
	public function header( $name, $value ) { $this->headers[ $name ] = $value; }
}
class WC_Data_Fake {
	public $meta = array(), $saved = 0, $quiet = 0;
	public function get_meta( $key ) { return $this->meta[ $key ] ?? ''; }
	public function update_meta_data( $key, $value ) { $this->meta[ $key ] = $value; }
	public function delete_meta_data( $key ) { unset( $this->meta[ $key ] ); }
	public function read_meta_data() {}
	public function save() { ++$this->saved; }
	public function save_meta_data() { ++$this->quiet; }
	public function get_meta_data() { return array_map( function ( $key ) { return new Meta_Fake( $key, $this->meta[ $key ] ); }, array_keys( $this->meta ) ); }
	public function get_data_store() { return new class() { public function get_current_class_name() { return Fake::$store; } public function clear_cached_data( $ids ) { Fake::$forgotten[] = $ids; } }; }
}
class Meta_Fake {
	public $key, $value, $id, $applied = 0;
	public function __construct( $key, $value, $id = null ) { $this->key = $key; $this->value = $value; $this->id = $id; }
	public function apply_changes() { ++$this->applied; }
}
class WC_Order extends WC_Data_Fake {
	public $id, $key = 'wc_order_k', $status = 'processing', $paid, $created, $items = array(), $total = '90.40', $tax = '10.40', $shipping = '5.00';
	public function __construct( int $id = 0 ) { $this->id = $id; $this->created = new DateTime( '@' . time() ); }
	public function get_id() { return $this->id; }
	public function get_order_number() { return (string) $this->id; }
	public function get_order_key() { return $this->key; }
	public function has_status( $statuses ) { return in_array( $this->status, (array) $statuses, true ); }
	public function get_date_paid() { return $this->paid; }
	public function get_date_created() { return $this->created; }
	public function get_items() { return $this->items; }
	public function get_item_count() { return array_sum( array_map( static function ( $line ) { return $line->quantity; }, $this->items ) ); }
	public function get_total() { return $this->total; }
	public function get_total_tax() { return $this->tax; }
	public function get_shipping_total() { return $this->shipping; }
	public function get_currency() { return 'USD'; }
	public function set_date_modified() {}
}
class WC_Order_Item_Product {
	public $product_id, $variation_id, $quantity, $total, $name;
	public function __construct( $product_id, $variation_id, $quantity, $total, $name = 'Thing' ) { $this->product_id = $product_id; $this->variation_id = $variation_id; $this->quantity = $quantity; $this->total = $total; $this->name = $name; }
	public function get_product() { return wc_get_product( $this->variation_id ? $this->variation_id : $this->product_id ); }
	public function get_product_id() { return $this->product_id; }
	public function get_variation_id() { return $this->variation_id; }
	public function get_quantity() { return $this->quantity; }
	public function get_total() { return $this->total; }
	public function get_name() { return $this->name; }
}
class WC_Product {
	public $id, $parent, $sku, $name, $price, $status = 'publish';
	public function __construct( $id, $sku, $name, $price, $parent = 0 ) { $this->id = $id; $this->sku = $sku; $this->name = $name; $this->price = $price; $this->parent = $parent; Fake::$products[ $id ] = $this; }
	public function get_id() { return $this->id; }
	public function get_parent_id() { return $this->parent; }
	public function get_sku() { return $this->sku; }
	public function get_name() { return $this->name; }
	public function get_price() { return $this->price; }
	public function get_status() { return $this->status; }
}
class WC_Geolocation {
	public static function geolocate_ip( $ip, $fallback, $api ) {
		if ( $api ) { throw new RuntimeException( 'a call to a geolocation service' ); }
		return array( 'country' => Fake::$now_country );
	}
	public static function get_ip_address() { return $_SERVER['HTTP_X_REAL_IP'] ?? $_SERVER['REMOTE_ADDR']; }
}
class WC_Webhook {
	private $id;
	public $looked = array(), $resource = 'order', $address = 'https://c.example/webhooks/woocommerce/i1';
	public function get_resource() { return $this->resource; }
	public function process( $argument ) { $this->looked[] = $argument; }
	public function __construct( int $id ) { $this->id = $id; Fake::$webhooks[ $id ] = Fake::$webhooks[ $id ] ?? array( 'failures' => 0 ); }
	public function get_id() { return $this->id; }
	public function get_delivery_url() { return $this->address; }
	public function get_failure_count() { return Fake::$webhooks[ $this->id ]['failures']; }
	public function set_failure_count( $count ) { Fake::$webhooks[ $this->id ]['failures'] = $count; }
	public function save() {}
	public function enqueue() { add_action( 'pixel_connector_cart_item_added', array( $this, 'process' ) ); }
	public function delete( $force ) { Fake::$deleted[] = $this->id; }
	public function deliver( $argument ) {
		$arguments    = apply_filters( 'woocommerce_webhook_http_args', array( 'timeout' => 60 ), $argument, $this->id );
		Fake::$sent[] = array( json_decode( $argument, true ), $arguments['timeout'] );
		if ( ! Fake::$arrives && $this->get_failure_count() > apply_filters( 'woocommerce_max_webhook_delivery_failures', 5 ) ) {
			Fake::$webhooks[ $this->id ]['disabled'] = true;
		}
		$this->set_failure_count( Fake::$arrives ? 0 : $this->get_failure_count() + 1 );
		do_action( 'woocommerce_webhook_delivery', array(), Fake::$arrives ? array( 'response' => array( 'code' => 200 ), 'body' => '' ) : new WP_Error( 'http' ), 0.1, $argument, $this->id );
	}
}
function WC() { return new class() { public function queue() { return new class() { public function add( $hook, $arguments, $group ) { Fake::$queued[] = $arguments; } }; } }; }

class Fake_DB {
	public $prefix = 'wp_';
	public $postmeta = 'wp_postmeta';
	public $options = 'wp_options';
	public function suppress_errors( $quiet ) { return false; }
	public function esc_like( $text ) { return addcslashes( $text, '_%\\' ); }
	private $values = array();
	public function prepare( $query, ...$values ) { $this->values = is_array( $values[0] ?? null ) ? $values[0] : $values; return $query; }
	public function get_var( $query ) { if ( 0 === strpos( $query, 'SHOW TABLES' ) ) { return stripslashes( $this->values[0] ); } if ( 0 === strpos( $query, 'SELECT 1 FROM' ) ) { return Fake::$changed ? '1' : null; } return in_array( substr( $this->values[0] ?? '', 12 ), Fake::$locked, true ) ? '0' : '1'; }
	public function query( $query ) { if ( 0 === strpos( $query, 'INSERT' ) ) { Fake::$written[] = array( $query, $this->values ); return intdiv( count( $this->values ), 3 ); } if ( 0 === strpos( $query, 'UPDATE' ) ) { Fake::$written[] = array( $query, $this->values ); return Fake::$changed; } if ( 0 === strpos( $query, 'DELETE' ) ) { Fake::$removed[] = array( $query, $this->values[0] ); } return 1; }
	public function get_row( $query ) { foreach ( Fake::$keys as $row ) { if ( array( $row['consumer_key'], $row['user_id'] ) === $this->values ) { return (object) $row; } } return null; }
	public function delete( $table, $where ) { if ( 'wp_woocommerce_api_keys' !== $table ) { throw new RuntimeException( $table ); } $before = count( Fake::$keys ); Fake::$keys = array_filter( Fake::$keys, static function ( $row ) use ( $where ) { return array_intersect_key( $row, $where ) !== $where; } ); return $before - count( Fake::$keys ); }
	public function get_results( $query ) { return Fake::$rows; }
	public function get_col( $query ) { return array_keys( Fake::$webhooks ); }
}
$GLOBALS['wpdb'] = new Fake_DB();

function add_filter( $hook, $callback, $priority = 10, $arguments = 1 ) { Fake::$hooks[ $hook ][] = $callback; }
function add_action( $hook, $callback, $priority = 10, $arguments = 1 ) { Fake::$hooks[ $hook ][] = $callback; }
function remove_filter( $hook, $callback ) { Fake::$hooks[ $hook ] = array_values( array_filter( Fake::$hooks[ $hook ] ?? array(), static function ( $known ) use ( $callback ) { return $known !== $callback; } ) ); }
function apply_filters( $hook, $value, ...$more ) { foreach ( Fake::$hooks[ $hook ] ?? array() as $callback ) { $value = $callback( $value, ...$more ); } return $value; }
function do_action( $hook, ...$arguments ) { foreach ( Fake::$hooks[ $hook ] ?? array() as $callback ) { $callback( ...$arguments ); } }
function has_action( $hook, $callback = false ) { return false === $callback ? ! empty( Fake::$hooks[ $hook ] ) : ( in_array( $callback, Fake::$hooks[ $hook ] ?? array(), true ) ? 10 : false ); }
function remove_action( $hook, $callback, $priority = 10 ) { remove_filter( $hook, $callback ); }
function fastcgi_finish_request() { ++Fake::$closed; return true; }
function wc_webhook_execute_queue() { Fake::$filled = Fake::$closed ? 'after' : 'before'; }
function wp_doing_ajax() { return false; }
function wp_doing_cron() { return Fake::$cron; }
function __return_false() { return false; }
function __return_true() { return true; }
function get_option( $name, $default = false ) { return Fake::$options[ $name ] ?? $default; }
function update_option( $name, $value, $autoload = null ) { Fake::$options[ $name ] = $value; return true; }
function delete_option( $name ) { unset( Fake::$options[ $name ] ); }
function get_transient( $name ) { return Fake::$transients[ $name ] ?? false; }
function set_transient( $name, $value, $seconds = 0 ) { Fake::$transients[ $name ] = $value; }
function wp_cache_delete( $key, $group = '' ) {}
function wp_cache_add( $key, $value, $group = '' ) { Fake::$options[ "cache {$group} {$key}" ] = $value; }
function wp_using_ext_object_cache() { return ! empty( Fake::$options['lasting cache'] ); }
define( 'ARRAY_A', 'ARRAY_A' );
function wp_parse_url( $address, $part = -1 ) { return parse_url( (string) $address, $part ); }
function wp_unslash( $value ) { return is_array( $value ) ? array_map( 'wp_unslash', $value ) : ( is_string( $value ) ? stripslashes( $value ) : $value ); }
function sanitize_text_field( $value ) { return trim( preg_replace( '/[\r\n\t ]+/', ' ', strip_tags( (string) $value ) ) ); }
function sanitize_key( $value ) { return preg_replace( '/[^a-z0-9_\-]/', '', strtolower( (string) $value ) ); }
function wp_strip_all_tags( $value ) { return trim( strip_tags( (string) $value ) ); }
function wp_json_encode( $value, $options = 0 ) { return json_encode( $value, $options ); }
function wp_hash( $value ) { return md5( 'salt' . $value ); }
function wp_salt() { return 'salt'; }
function wp_get_raw_referer() { return $_SERVER['HTTP_REFERER'] ?? false; }
function wp_validate_auth_cookie() { return Fake::$user ? Fake::$user : false; }
function get_current_user_id() { return Fake::$user; }
function wc_api_hash( $key ) { return hash_hmac( 'sha256', $key, 'wc-api' ); }
function user_can( $user, $capability ) { return 1 === $user; }
function current_user_can( $capability ) { return 1 === Fake::$user; }
function is_ssl() { return 'on' === ( $_SERVER['HTTPS'] ?? '' ); }
function is_wp_error( $value ) { return $value instanceof WP_Error; }
function home_url( $path = '' ) { return 'https://shop.example' . $path; }
function site_url() { return 'https://shop.example'; }
function rest_url( $path ) { return 'https://shop.example/wp-json/' . $path; }
function esc_url( $value ) { return htmlspecialchars( $value ); }
function esc_attr( $value ) { return htmlspecialchars( $value ); }
function esc_html( $value ) { return htmlspecialchars( $value ); }
function esc_url_raw( $value, $protocols = null ) { return preg_match( '~^https?://[^\s<>"]+$~', $value ) ? $value : ''; }
function untrailingslashit( $value ) { return rtrim( $value, '/' ); }
function maybe_unserialize( $value ) { return is_string( $value ) && preg_match( '/^a:/', $value ) ? unserialize( $value ) : $value; }
function __( $text, $domain = '' ) { return $text; }
function is_preview() { return false; }
function is_customize_preview() { return false; }
function is_multisite() { return false; }
function is_admin() { return Fake::$admin; }
function plugin_basename( $file ) { return 'pixel-connector/pixel-connector.php'; }
function get_woocommerce_currency() { return 'EUR'; }
function wc_get_price_decimals() { return 2; }
function wc_get_price_to_display( $product ) { return (float) $product->get_price(); }
function wc_format_decimal( $value, $decimals = 2 ) { return number_format( (float) $value, $decimals, '.', '' ); }
function wc_get_product( $id ) { return Fake::$products[ $id ] ?? false; }
function wc_get_order( $id ) { return Fake::$orders[ $id ] ?? false; }
function wc_get_orders( $search ) { return array_slice( array_values( Fake::$orders ), ( $search['page'] - 1 ) * $search['limit'], $search['limit'] ); }
function get_user_locale() { return 'de_DE'; }
function get_user_by( $field, $value ) { return false; }
function wp_add_privacy_policy_content( $name, $text ) { Fake::$policy[ $name ] = $text; }
function wc_get_logger() { return new class() { public function warning( $message, $context ) { Fake::$logged[] = $message; } }; }
function wp_remote_post( $address, $arguments ) { Fake::$sent[] = array( $address, $arguments ); return Fake::$answer; }
function wp_remote_retrieve_response_code( $response ) { return $response['response']['code']; }
function wp_remote_retrieve_body( $response ) { return $response['body']; }
function get_queried_object_id() { return 18; }
function is_product() { return true; }

function get_bloginfo( $what = '' ) { return '6.9'; }
function wp_timezone_string() { return 'UTC'; }
function get_post( $id = 0 ) { return null; }
function wc_get_page_id( $page ) { return 0; }
function esc_html__( $text, $domain = '' ) { return esc_html( $text ); }

Fake::reset();
