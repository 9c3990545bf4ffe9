<?php
/**
 * The entry under Marketing.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A small page with two buttons: open the owner's page, and confirm the installation.
 */
final class AdminPage {

	public const SLUG     = 'pixel-connector';
	private const OPEN    = 'pixel_connector_open';
	private const CONFIRM = 'pixel_connector_confirm';

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		Guard::on( 'admin_menu', array( $this, 'add_entry' ), 70 );
		Guard::on( 'admin_post_' . self::OPEN, array( $this, 'open' ) );
		Guard::on( 'admin_post_' . self::CONFIRM, array( $this, 'confirm' ) );
	}

	/**
	 * The entry: under Marketing, or under WooCommerce where that is switched off.
	 */
	public function add_entry(): void {
		global $submenu, $menu;
		$slugs  = array_column( (array) $menu, 2 );
		$parent = in_array( 'woocommerce-marketing', $slugs, true ) || isset( $submenu['woocommerce-marketing'] ) ? 'woocommerce-marketing' : 'woocommerce';
		add_submenu_page( $parent, __( 'Pixel Connector', 'pixel-connector' ), __( 'Pixel Connector', 'pixel-connector' ), 'manage_woocommerce', self::SLUG, Guard::wrap( array( $this, 'render' ) ) );
	}

	/**
	 * Address of the page.
	 */
	public static function url(): string {
		return admin_url( 'admin.php?page=' . self::SLUG );
	}

	/**
	 * The page.
	 */
	public function render(): void {
		echo '<div class="wrap"><h1>' . esc_html__( 'Pixel Connector for TikTok', 'pixel-connector' ) . '</h1>';
		$this->render_notice();
		if ( ! $this->connection->exists() ) {
			echo '<p>' . esc_html__( 'This store is not connected yet. Start at the address of your connector, under "Install", and come back when it asks for this plugin.', 'pixel-connector' ) . '</p></div>';
			return;
		}
		/* translators: %s: address of the connector. */
		echo '<p>' . esc_html( sprintf( __( 'Connected to %s.', 'pixel-connector' ), $this->connection->connector_url() ) ) . '</p>';
		echo '<p>' . esc_html__( 'Charts, settings, consent and the pixel are on the owner\'s page. The link to it works once and for one minute.', 'pixel-connector' ) . '</p>';
		$this->render_button( self::OPEN, __( 'Open the owner\'s page', 'pixel-connector' ), 'button button-primary' );
		echo '<h2>' . esc_html__( 'Installation', 'pixel-connector' ) . '</h2>';
		echo '<p>' . esc_html__( 'While the connector waits for it, confirm here that you have started this installation yourself.', 'pixel-connector' ) . '</p>';
		$this->render_button( self::CONFIRM, __( 'Confirm the installation', 'pixel-connector' ), 'button' );
		echo '</div>';
	}

	/**
	 * Asks the connector for a single-use token and sends the browser there with it.
	 */
	public function open(): void {
		$this->check( self::OPEN );
		$answer = $this->ask( '/owner/links' );
		$token  = is_array( $answer ) ? ( $answer['token'] ?? '' ) : '';
		if ( ! is_string( $token ) || '' === $token ) {
			$this->leave( is_wp_error( $answer ) ? $answer->get_error_message() : __( 'The connector gave no link. Try again in a minute.', 'pixel-connector' ) );
		}
		EnterPage::render( $this->connection->connector_url() . '/owner/enter', $token );
		exit;
	}

	/**
	 * Tells the connector that this installation is wanted.
	 */
	public function confirm(): void {
		$this->check( self::CONFIRM );
		$answer = $this->ask( '/install/confirm' );
		if ( is_wp_error( $answer ) ) {
			$this->leave( $answer->get_error_message() );
		}
		$said = $answer['message'] ?? '';
		$this->leave( is_string( $said ) && '' !== $said ? mb_substr( $said, 0, 300 ) : __( 'The installation is confirmed.', 'pixel-connector' ) );
	}

	/**
	 * A signed call with the user's name.
	 *
	 * @param string $path Path at the connector.
	 * @return array|\WP_Error
	 */
	private function ask( string $path ) {
		return ( new ConnectorClient( $this->connection ) )->post( $path, array( 'user' => wp_get_current_user()->user_login ) );
	}

	/**
	 * Refuses those who may not, and requests that were not meant.
	 *
	 * @param string $action Action.
	 */
	private function check( string $action ): void {
		if ( ! current_user_can( 'manage_woocommerce' ) ) {
			wp_die( esc_html__( 'You may not manage this shop.', 'pixel-connector' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( $action );
	}

	/**
	 * Back to the page with something to say.
	 *
	 * @param string $notice What.
	 */
	private function leave( string $notice ): void {
		set_transient( 'pixel_connector_notice_' . get_current_user_id(), $notice, 60 );
		wp_safe_redirect( self::url() );
		exit;
	}

	/**
	 * What the last action said, once.
	 */
	private function render_notice(): void {
		$name   = 'pixel_connector_notice_' . get_current_user_id();
		$notice = get_transient( $name );
		if ( is_string( $notice ) && '' !== $notice ) {
			delete_transient( $name );
			echo '<div class="notice notice-info" role="status"><p>' . esc_html( $notice ) . '</p></div>';
		}
	}

	/**
	 * A form with one button.
	 *
	 * @param string $action     Action.
	 * @param string $label      Text of the button.
	 * @param string $class_name Look of the button.
	 */
	private function render_button( string $action, string $label, string $class_name ): void {
		echo '<form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '">';
		echo '<input type="hidden" name="action" value="' . esc_attr( $action ) . '">';
		echo '<input type="hidden" name="_wpnonce" value="' . esc_attr( wp_create_nonce( $action ) ) . '">';
		echo '<button type="submit" class="' . esc_attr( $class_name ) . '">' . esc_html( $label ) . '</button></form>';
	}
}
